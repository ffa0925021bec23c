/** `sotto backup` and `sotto restore`, as a person reads them. */
import { backupStore } from './backup.ts'
import { restoreStore } from './restore.ts'
import type { StoreReport } from './store_report.ts'

const MEGABYTE = 1024 * 1024

function summary({ accounts, rooms, entries, bytes }: StoreReport): string {
  const size = (bytes / MEGABYTE).toFixed(1)
  return `${accounts} accounts, ${rooms} rooms, ${entries} sealed messages, ${size} MB`
}

/** Copies what the endpoint keeps, also while it runs. Throws SottoError `unavailable`. */
export async function runBackup(dataDir: string, target: string, keys: boolean): Promise<string> {
  const report = await backupStore(dataDir, target, { keys })
  const what = [`${target} holds ${summary(report)}.`]
  for (const { text } of report.damages) what.push(`Damaged: ${text}`)
  if (report.keys.length > 0)
    what.push(
      `It also holds ${report.keys.join(' and ')}: whoever has it can pose as this endpoint.`,
    )
  else
    what.push(
      'The keys are not in it. Keep endpoint_key.pem elsewhere: without it, everyone is warned of a man in the middle after a restore.',
    )
  return what.join('\n')
}

/** Puts a backup in the place of what is in `dataDir`. Throws SottoError `unavailable`. */
export function runRestore(target: string, dataDir: string, force: boolean): string {
  const { report, replaced } = restoreStore(target, dataDir, { force })
  return [
    `${dataDir} holds ${summary(report)} now.`,
    ...(replaced === undefined ? [] : [`What was there before is kept in ${replaced}.`]),
    'What was said since the backup is missing here. Clients that saw it notice, and say so.',
  ].join('\n')
}
