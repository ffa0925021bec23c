import { execFileSync } from 'node:child_process'
import { NonceFile, startStack } from '../support/stack.ts'
import { assert, describe, it } from '../support/suite.ts'
import { Browser } from '../support/tabs.ts'

const WATCH = new URL('../support/nonce_watch.ts', import.meta.url).href
const BY_NODE = `
  const { createCipheriv } = await import('node:crypto')
  const seal = (n) => createCipheriv('aes-256-gcm', Buffer.alloc(32, 7), Buffer.alloc(12, n))`
const BY_WEB = `
  const key = await crypto.subtle.importKey('raw', Buffer.alloc(32, 7), 'AES-GCM', false, ['encrypt'])
  const seal = (n) => crypto.subtle.encrypt({ name: 'AES-GCM', iv: Buffer.alloc(12, n) }, key, Buffer.alloc(1))`

/** Seals under these nonces, in processes one after the other. */
async function sealed(ways: readonly (readonly [code: string, nonces: number[]])[]): Promise<void> {
  const file = await NonceFile.make()
  for (const [code, nonces] of ways)
    execFileSync(
      process.execPath,
      [
        ...['--disable-warning=ExperimentalWarning', '--import', WATCH, '--input-type=module'],
        ...['-e', `${code}\nfor (const n of ${JSON.stringify(nonces)}) await seal(n)`],
      ],
      { env: { ...process.env, ...file.env } },
    )
  await file.close()
}

async function failed(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => false,
    () => true,
  )
}

describe('a nonce that is used twice under one key (R18)', () => {
  it('by endpoint or relay fails every test that runs them, whichever way they seal', async () => {
    for (const code of [BY_NODE, BY_WEB]) {
      assert.isFalse(await failed(sealed([[code, [1, 2, 3]]])))
      assert.isTrue(await failed(sealed([[code, [1, 2, 1]]])))
    }
  })

  it('is noticed over the end of a process, and between the two ways', async () => {
    assert.isTrue(
      await failed(
        sealed([
          [BY_NODE, [1]],
          [BY_NODE, [1]],
        ]),
      ),
    )
    assert.isTrue(
      await failed(
        sealed([
          [BY_NODE, [1]],
          [BY_WEB, [1]],
        ]),
      ),
    )
    assert.isFalse(
      await failed(
        sealed([
          [BY_NODE, [1]],
          [BY_WEB, [2]],
        ]),
      ),
    )
  })

  it('by a page does not work, and is a complaint', async () => {
    const stack = await startStack()
    const browser = await Browser.start()
    try {
      const tab = await browser.open(stack.pageUrl)
      const twice = await tab.page.evaluate(async () => {
        const import_ = () =>
          crypto.subtle.importKey('raw', new Uint8Array(32), 'AES-GCM', false, ['encrypt'])
        const seal = (key: CryptoKey, n: number) =>
          crypto.subtle.encrypt(
            { name: 'AES-GCM', iv: new Uint8Array(12).fill(n) },
            key,
            new Uint8Array(1),
          )
        await seal(await import_(), 1)
        await seal(await import_(), 2)
        return seal(await import_(), 1).then(
          () => 'sealed',
          (error: Error) => error.message,
        )
      })
      assert.equal(twice, 'a nonce was used twice under one key')
      assert.deepEqual(tab.complaints, ['a nonce was used twice under one key'])
    } finally {
      await browser.close()
      await stack.stop()
    }
  })
})
