import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { assert, describe, it } from '../support/suite.ts'
import { make } from '../vectors/make.ts'

describe('the test vectors of handshake, records, alerts and casts', async () => {
  const files = await make()
  for (const [name, text] of Object.entries(files))
    it(`in ${name} are what our code makes of their inputs`, () => {
      const file = fileURLToPath(new URL(`../vectors/${name}`, import.meta.url))
      assert.equal(readFileSync(file, 'utf8'), text)
    })
})
