/** `sotto backup`, `sotto restore` and `sotto change-key`, as a person reads them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import { KEPT_EPOCHS } from '../../web/protocol/mls_header.ts'
import { normaliseName, skeleton } from '../../web/protocol/names.ts'
import { readPem } from '../../web/protocol/pem.ts'
import { checkSpki, fingerprint } from '../../web/protocol/spki.ts'
import { nodePrimitives } from '../node_primitives.ts'
import { backupStore } from './backup.ts'
import { DATABASE } from './recovery.ts'
import { restoreStore } from './restore.ts'
import { openStore } from './sqlite_store.ts'
import type { StoreReport } from './store_report.ts'

const MEGABYTE = 1024 * 1024

function summary({ accounts, rooms, entries, bytes }: StoreReport): string {
  const size = (bytes / MEGABYTE).toFixed(1)
  const parts = [count(accounts, 'account'), count(rooms, 'room'), count(entries, 'sealed message')]
  return `${parts.join(', ')}, ${size} MB`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
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

/**
 * Gives a name to another key, for a person who has lost theirs; the endpoint must not run. Rejects
 * with SottoError `refused` when nobody has the name, `bad_key` when the file holds no public key of
 * ours, `unavailable`.
 */
export async function runChangeKey(user: string, file: string, dataDir: string): Promise<string> {
  if (!existsSync(join(dataDir, DATABASE)))
    throw new SottoError('unavailable', `There is no endpoint's store in ${dataDir}.`)
  const spki = readPublicKey(file)
  const store = await openStore(dataDir, { keptEpochs: KEPT_EPOCHS })
  try {
    await store.changeKey(skeleton(normaliseName(user)), spki)
  } finally {
    await store.close()
  }
  const print = Buffer.from(await fingerprint(nodePrimitives, spki)).toString('hex')
  return [
    `${user} is the name of this key now: ${print.replace(/(.{4})(?=.)/g, '$1 ')}`,
    'Devices with the old key are taken no more. Everyone who knows it is warned and has to decide.',
  ].join('\n')
}

const READING: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  ENOTDIR: 'is not there',
  EISDIR: 'is a directory',
}

/** The text of a key file. Throws SottoError `bad_key`. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    const why = READING[code] ?? `can't be read (${message})`
    const text = `${file} ${why}. Name the file with the new public key, as the page shows it.`
    throw new SottoError('bad_key', text, { cause })
  }
}

function readPublicKey(file: string): Bytes {
  const block = readPem(read(file)).find(({ label }) => label === 'PUBLIC KEY')
  if (block === undefined)
    throw new SottoError('bad_key', `${file} holds no public key, only something else.`)
  checkSpki(block.der, { least: 2048 })
  return block.der
}
