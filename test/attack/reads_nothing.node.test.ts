import { createPrivateKey } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { foundInMemory } from '../support/memory.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

/** Words that occur nowhere else, so that finding one is proof. */
const USERS = ['quokkazebra', 'wombatlemur'] as const
const LOBBY_TEXT = 'canary-lobby-7f3a1c marmalade'
const PRIVATE_TEXT = 'canary-private-91be44 rhubarb'
const PASSPHRASE = 'canary-passphrase-55d0 gooseberry'

/** A secret of which nobody may hold any form: as bytes, or as text. */
interface Secret {
  readonly name: string
  readonly forms: readonly (string | Buffer)[]
}

/** The rooms, the endpoint's key and its fingerprint, from the endpoint's files. */
async function secretsOf({ dataDir, fingerprint }: Stack): Promise<Secret[]> {
  const store = new DatabaseSync(join(dataDir, 'sotto.db'), { readOnly: true })
  const rooms = store
    .prepare('SELECT room FROM room')
    .all()
    .map(({ room }) => bytesOf(room))
  store.close()
  const pem = await readFile(join(dataDir, 'endpoint_key.pem'), 'utf8')
  const { d = '', p = '', q = '' } = createPrivateKey(pem).export({ format: 'jwk' })
  const numbers = [d, p, q].map((number) => Buffer.from(number, 'base64url'))
  const raw = Buffer.from(fingerprint, 'hex')
  return [
    ...rooms.map((room, i) => ({ name: `room ${i}`, forms: [room, room.toString('hex')] })),
    // A line of the file, its numbers, and these as OpenSSL keeps them: the last byte first.
    { name: 'key', forms: [...pem.split('\n').slice(2, 3), ...numbers, ...numbers.map(reversed)] },
    { name: 'fingerprint', forms: [raw, fingerprint, raw.toString('base64url')] },
  ]
}

function reversed(bytes: Buffer): Buffer {
  return Buffer.from(bytes).reverse()
}

function bytesOf(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) throw new TypeError('not a BLOB')
  return Buffer.from(value)
}

describe('who must not read', () => {
  let stack: Stack
  let browser: Browser
  let tabs: [Tab, Tab]
  /** What the tabs sent and got over their WebSockets. */
  const frames: Buffer[] = []

  before(async () => {
    stack = await startStack({ record: true })
    browser = await Browser.start()
    browser.context.on('page', (page) =>
      page.on('websocket', (socket) => {
        const keep = ({ payload }: { payload: string | Buffer }) =>
          frames.push(Buffer.from(payload))
        socket.on('framesent', keep).on('framereceived', keep)
      }),
    )
    const first = await browser.join(stack.pageUrl, USERS[0])
    const second = await browser.join(stack.pageUrl, USERS[1])
    tabs = [first, second]
    await first.say(LOBBY_TEXT)
    await second.sees(LOBBY_TEXT)
    await first.say(`/pm ${USERS[1]} ${PRIVATE_TEXT}`)
    await first.sees(PRIVATE_TEXT)
    await second.people.getByText(USERS[0], { exact: true }).click()
    await second.sees(PRIVATE_TEXT)
    await first.openPanel('Identity')
    await first.page.getByRole('textbox', { name: 'Passphrase' }).fill(PASSPHRASE)
    const download = first.page.waitForEvent('download')
    await first.page.getByRole('button', { name: 'Export' }).click()
    await download
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
  })

  const nobody = [LOBBY_TEXT, PRIVATE_TEXT, PASSPHRASE]

  it('the relay finds no text, name or passphrase in its memory, its log or any byte it carries', async () => {
    // Nor the key of the invitation with which both came (W6).
    const [, invitation = ''] = /k=([\w-]{43})/.exec(new URL(stack.pageUrl).hash) ?? []
    assert.lengthOf(invitation, 43)
    const secrets = [...nobody, ...USERS, invitation]
    assert.deepEqual(await foundInMemory(stack.pid('relay'), secrets), [])
    const log = stack.logs('relay')
    assert.isAbove(log.length, 0)
    assert.deepEqual(
      secrets.filter((secret) => log.includes(secret)),
      [],
    )
    for (const carried of [stack.recorded(), Buffer.concat(frames)]) {
      assert.isAbove(carried.length, 10_000)
      assert.deepEqual(
        secrets.filter((secret) => carried.includes(secret)),
        [],
      )
    }
  })

  it('the relay finds no room and no key of the endpoint there either, which the endpoint holds', async () => {
    const secrets = await secretsOf(stack)
    assert.isAtLeast(secrets.length, 2 + 2, 'the lobby and a private room')
    const forms = secrets.flatMap((secret) => secret.forms)
    const named = (found: readonly (string | Buffer)[]) =>
      secrets
        .filter((one) => one.forms.some((form) => found.includes(form)))
        .map(({ name }) => name)
    // The same search finds all of it where it belongs.
    assert.deepEqual(
      named(await foundInMemory(stack.pid('endpoint'), forms)),
      secrets.map(({ name }) => name),
    )
    assert.deepEqual(named(await foundInMemory(stack.pid('relay'), forms)), [])
    for (const seen of [Buffer.from(stack.logs('relay')), stack.recorded(), Buffer.concat(frames)])
      assert.deepEqual(named(forms.filter((form) => seen.includes(form))), [])
  })

  it('the endpoint finds no text or passphrase in its memory, its log or its files', async () => {
    assert.deepEqual(await foundInMemory(stack.pid('endpoint'), nobody), [])
    const log = stack.logs('endpoint')
    assert.isAbove(log.length, 0)
    assert.deepEqual(
      nobody.filter((secret) => log.includes(secret)),
      [],
    )
    for (const file of await readdir(stack.dataDir)) {
      const bytes = await readFile(join(stack.dataDir, file))
      assert.deepEqual(
        nobody.filter((secret) => bytes.includes(secret)),
        [],
        file,
      )
    }
  })

  it('the page leaks nothing through its address or its title', async () => {
    for (const tab of tabs) {
      const shown = `${tab.page.url()} ${await tab.page.title()}`
      assert.deepEqual(
        [...nobody, ...USERS].filter((secret) => shown.includes(secret)),
        [],
      )
      assert.deepEqual(tab.complaints, [])
    }
  })
})
