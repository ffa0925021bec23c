import { readFileSync } from 'node:fs'
import { CLOSE_CODES } from '../../web/protocol/envelope.ts'
import { assert, describe, it } from '../support/suite.ts'

const protocol = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')
const [, section = ''] = protocol.split('### What ends a connection\n')

/** A row may have several codes, with as many names. */
const said = [...section.matchAll(/^\| (4\d{3}(?:, 4\d{3})*) \| ([a-z_, ]+) \|/gm)].flatMap(
  ([, codes = '', names = '']) => {
    const all = names.split(', ')
    return codes.split(', ').map((code, i) => [all[i] ?? '', Number(code)] as const)
  },
)

describe('the table of close codes in PROTOCOL.md', () => {
  it('has every code of ours under its name, and no other', () => {
    const own = Object.entries(CLOSE_CODES).filter(([, { code }]) => code >= 4000)
    assert.deepEqual(
      said,
      own.map(([name, { code }]) => [name, code]),
    )
  })
})
