import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { assert, describe, it } from '../support/suite.ts'

const BENCH = fileURLToPath(new URL('../bench/run.ts', import.meta.url))

describe('npm run bench', () => {
  it('says before it measures anything what it can’t do, and ends with 2', () => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['nonsense'], /No group "nonsense"\. There are: handshake,/],
      [['--json'], /--json <value>/],
      [['--json', '/proc/none/figures.json', 'page'], /'\/proc\/none\/figures\.json'/],
    ]
    for (const [args, says] of cases) {
      const ran = spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8' })
      assert.match(ran.stderr, says)
      assert.notInclude(ran.stderr, '    at ')
      assert.equal(ran.stdout, '')
      assert.equal(ran.status, 2)
    }
  })
})
