/** THREATS C.3: our endpoint against a client in Python that was written from PROTOCOL.md alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { EndpointStand } from '../support/endpoint_stand.ts'
import { pythonWithCryptography } from '../support/places.ts'
import { full, seeded } from '../support/random.ts'
import { assert, describe, it } from '../support/suite.ts'

const PYTHON = pythonWithCryptography()
const CLIENT = fileURLToPath(new URL('../vectors/live_client.py', import.meta.url))
const COUNT = full ? 10_000 : 100

if (PYTHON === undefined) console.log('The client in Python was not run: no python3-cryptography.')

const maybe = PYTHON ? describe : describe.skip
maybe('a client of another make', () => {
  it('comes to the same session as the endpoint, or to the same refusal, whatever it sends', () =>
    seeded(async ({ seed }) => {
      const stand = await EndpointStand.start()
      try {
        const { port, fingerprint } = stand.endpoint
        const given = [CLIENT, String(port), fingerprint, String(COUNT), String(seed)]
        const client = spawn(PYTHON ?? 'none', given, { stdio: ['ignore', 'pipe', 'pipe'] })
        const [said, failure, [code]] = await Promise.all([
          text(client.stdout),
          text(client.stderr),
          once(client, 'close'),
        ])
        assert.equal(code, 0, `${said}${failure}`)
        assert.match(said, /^[1-9]\d* passed, 0 failed$/m)
      } finally {
        await stand.stop()
      }
    }))
})
