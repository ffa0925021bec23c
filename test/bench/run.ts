/**
 * `npm run bench`: every figure that the README states, each beside its peer in the same run.
 * `--json FILE` also writes them; other arguments name the groups to run.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Figure, reached } from './figure.ts'

/** One module a group; each exports `bench`. Imported late, so that one group needs no other. */
const GROUPS: Record<string, () => Promise<{ bench: () => Promise<readonly Figure[]> }>> = {
  handshake: () => import('./handshake.ts'),
  record: () => import('./record.ts'),
  fanout: () => import('./fanout.ts'),
  idle: () => import('./idle.ts'),
  sessions: () => import('./sessions.ts'),
  slow: () => import('./slow.ts'),
  store: () => import('./store.ts'),
  live: () => import('./live.ts'),
  away: () => import('./away.ts'),
  history: () => import('./history.ts'),
  page: () => import('./page.ts'),
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function line(figure: Figure): string {
  const ratio = figure.ratio === undefined ? '' : `   ×${round(figure.ratio)} of ${figure.against}`
  const goal =
    figure.goal === undefined
      ? ''
      : `   goal ${'atLeast' in figure.goal ? `≥ ${figure.goal.atLeast}` : `≤ ${figure.goal.atMost}`}: ${reached(figure) ? 'reached' : 'MISSED'}`
  return `  ${figure.name}: ${round(figure.value)} ${figure.unit}${ratio}${goal}`
}

/** What is to be run and written, before anything is measured. Ends with 2 when it can't be. */
function asked(): { readonly groups: readonly string[]; readonly json: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'string' } },
    })
    const unknown = positionals.find((name) => !(name in GROUPS))
    if (unknown !== undefined)
      throw new Error(`No group "${unknown}". There are: ${Object.keys(GROUPS).join(', ')}.`)
    // Tried now: all that was measured would be lost with it.
    if (values.json !== undefined) closeSync(openSync(values.json, 'a'))
    return { groups: positionals, json: values.json }
  } catch (error) {
    console.error(error instanceof Error ? error.message : 'unknown')
    process.exit(2)
  }
}

const { groups, json } = asked()
const figures: Figure[] = []
for (const [name, load] of Object.entries(GROUPS)) {
  if (groups.length > 0 && !groups.includes(name)) continue
  console.log(name)
  const { bench } = await load()
  for (const figure of await bench()) {
    figures.push(figure)
    console.log(line(figure))
  }
}
if (json !== undefined) {
  const rows = figures.map(({ name, value, unit, ratio, against, goal }) => ({
    name,
    value,
    unit,
    ratio: ratio ?? null,
    against: against ?? null,
    goal: goal ?? null,
  }))
  writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`)
}
process.exit(0)
