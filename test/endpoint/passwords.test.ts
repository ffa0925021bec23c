import { hashPassword, verifyPassword } from '../../relay/endpoint/passwords.ts'
import { equal } from '../../web/protocol/bytes.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

describe('a password at rest', () => {
  it('is known again and no other is', async () => {
    const hash = await hashPassword('correct horse')
    assert.isTrue(await verifyPassword('correct horse', hash))
    assert.isFalse(await verifyPassword('correct horse ', hash))
    assert.isFalse(await verifyPassword('', hash))
  })

  it('is salted: the same one twice gives two hashes', async () => {
    const [one, two] = await Promise.all([hashPassword('same'), hashPassword('same')])
    assert.isFalse(equal(one.hash, two.hash))
    assert.isFalse(equal(one.salt, two.salt))
  })

  it('is the same however the keyboard composed it', async () => {
    assert.isTrue(await verifyPassword('cafe\u0301', await hashPassword('caf\u00e9')))
  })

  it('costs at least as much for an account that there is not', async () => {
    const hash = await hashPassword('something')
    const timed = async (work: () => Promise<boolean>): Promise<number> => {
      const start = process.cpuUsage()
      assert.isFalse(await work())
      const { user, system } = process.cpuUsage(start)
      return user + system
    }
    const wrong = await timed(() => verifyPassword('wrong', hash))
    const nobody = await timed(() => verifyPassword('wrong', null))
    assert.isAbove(nobody, wrong / 2)
  })

  it('that many ask for at once is answered with busy instead of taking all memory', async () => {
    const hash = { salt: new Uint8Array(16), hash: new Uint8Array(32), cost: 14 }
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, () => verifyPassword('x', hash)),
    )
    const refused = all.filter((one) => one.status === 'rejected')
    assert.equal(refused.length, 8)
    for (const one of refused) assert.equal((one.reason as { code: string }).code, 'busy')
  })

  it('with a cost that was tampered with takes no memory', async () => {
    const hash = { salt: new Uint8Array(16), hash: new Uint8Array(32), cost: 40 }
    await fails('internal', () => verifyPassword('x', hash))
  })
})
