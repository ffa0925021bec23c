import { unable } from '../../web/io/abilities.ts'
import { assert, describe, it } from '../support/suite.ts'

/** Runs `work` in a browser whose `owner` has something else under this name, or nothing. */
async function without(owner: object, name: string, value: unknown, work: () => Promise<void>) {
  const own = Object.getOwnPropertyDescriptor(owner, name)
  Object.defineProperty(owner, name, { configurable: true, value })
  try {
    await work()
  } finally {
    if (own === undefined) Reflect.deleteProperty(owner, name)
    else Object.defineProperty(owner, name, own)
  }
}

/** WebCrypto without one algorithm, which browsers say in this way. */
function lacking(algorithm: string): SubtleCrypto['generateKey'] {
  const { generateKey } = crypto.subtle
  const lack = async (...args: Parameters<typeof generateKey>): Promise<unknown> => {
    if ((args[0] as Algorithm).name === algorithm)
      throw new DOMException('Unrecognized name.', 'NotSupportedError')
    return Reflect.apply(generateKey, crypto.subtle, args)
  }
  return lack as SubtleCrypto['generateKey']
}

describe('whether one can chat from here', () => {
  it('finds nothing missing in this browser', async () => {
    assert.equal(await unable(), '')
  })

  it('names what an old browser lacks, and which one will do', async () => {
    const lacks: [string, object, string, unknown][] = [
      ['IndexedDB', globalThis, 'indexedDB', null],
      ['Web Locks', navigator, 'locks', undefined],
      ['Map.groupBy', Map, 'groupBy', undefined],
      ['Promise.withResolvers', Promise, 'withResolvers', undefined],
      ['X25519', crypto.subtle, 'generateKey', lacking('X25519')],
      ['Ed25519', crypto.subtle, 'generateKey', lacking('Ed25519')],
    ]
    for (const [what, owner, name, value] of lacks)
      await without(owner, name, value, async () => {
        assert.match(await unable(), new RegExp(`^This browser lacks ${what}, .* Chrome or Edge`))
      })
    assert.equal(await unable(), '')
  })

  it('asks for cookies where they are blocked, and all storage with them', async () => {
    for (const storage of ['localStorage', 'sessionStorage']) {
      const own = Object.getOwnPropertyDescriptor(globalThis, storage)
      const get = () => {
        throw new DOMException('The operation is insecure.', 'SecurityError')
      }
      Object.defineProperty(globalThis, storage, { configurable: true, get })
      try {
        assert.include(await unable(), 'Allow cookies and site data for it')
      } finally {
        if (own) Object.defineProperty(globalThis, storage, own)
      }
    }
    assert.equal(await unable(), '')
  })

  it('says that the store can’t be opened', async () => {
    const transaction = () => {
      throw new DOMException('A mutation operation was attempted.', 'InvalidStateError')
    }
    await without(IDBDatabase.prototype, 'transaction', transaction, async () => {
      assert.include(await unable(), 'can’t open what it keeps for this site')
    })
    assert.equal(await unable(), '')
  })

  it('asks for HTTPS before anything else', async () => {
    await without(globalThis, 'isSecureContext', false, () =>
      without(crypto.subtle, 'generateKey', undefined, async () => {
        assert.include(await unable(), 'Open it with https:// in front.')
      }),
    )
  })
})
