import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, describe, it } from '../support/suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const rows = [...read('test/THREATS.md').matchAll(/^\| ([A-Z]\d+) \| (.*) \|$/gm)].map(
  ([, id = '', cells = '']) => ({ id, cells }),
)
const MOST: Record<string, number> = { R: 20, E: 8, P: 3, W: 8, D: 6, F: 16, T: 13, V: 13 }
/** Families of vectors for what Sotto does not have: hybrid suites, invite files, exporters. */
const ELSEWHERE = ['V5', 'V11']

describe('the list of threats', () => {
  it('has every row once', () => {
    const wanted = Object.entries(MOST).flatMap(([letter, most]) =>
      Array.from({ length: most }, (_, i) => `${letter}${i + 1}`),
    )
    assert.sameMembers(
      rows.map(({ id }) => id),
      wanted.filter((id) => !ELSEWHERE.includes(id)),
    )
  })

  it('names only files that exist, and tests that are in them', () => {
    for (const { id, cells } of rows) {
      const named = [...cells.matchAll(/`(test\/[\w./]+)`((?:,? “[^”]+”)*)/g)]
      if (!cells.includes('none:')) assert.isNotEmpty(named, id)
      for (const [, file = '', titles = ''] of named) {
        assert.isTrue(existsSync(join(root, file)), `${id}: ${file}`)
        for (const [, title = ''] of titles.matchAll(/“([^”]+)”/g))
          assert.include(read(file), title, `${id}: ${file}`)
      }
    }
  })

  it('names a test in every row of attacks, faults and fuzz targets', () => {
    for (const { id, cells } of rows)
      if (!id.startsWith('V') && !cells.includes('none:'))
        assert.match(cells, /`test\/[\w./]+`(,? “[^”]+”| the)/, id)
  })
})
