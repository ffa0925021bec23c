import { Passwords } from '../../relay/endpoint/passwords.ts'
import { equal } from '../../web/protocol/bytes.ts'
import { assert, describe, fails, it } from '../support/suite.ts'

describe('a password at rest', () => {
  const passwords = new Passwords()
  it('is known again and no other is', async () => {
    const hash = await passwords.hash('correct horse')
    assert.isTrue(await passwords.verify('correct horse', hash))
    assert.isFalse(await passwords.verify('correct horse ', hash))
    assert.isFalse(await passwords.verify('', hash))
  })

  it('is salted: the same one twice gives two hashes', async () => {
    const [one, two] = await Promise.all([passwords.hash('same'), passwords.hash('same')])
    assert.isFalse(equal(one.hash, two.hash))
    assert.isFalse(equal(one.salt, two.salt))
  })

  it('is the same however the keyboard composed it', async () => {
    assert.isTrue(await passwords.verify('cafe\u0301', await passwords.hash('caf\u00e9')))
  })

  it('costs at least as much for an account that there is not', async () => {
    const hash = await passwords.hash('something')
    const timed = async (work: () => Promise<boolean>): Promise<number> => {
      const start = process.cpuUsage()
      assert.isFalse(await work())
      const { user, system } = process.cpuUsage(start)
      return user + system
    }
    const wrong = await timed(() => passwords.verify('wrong', hash))
    const nobody = await timed(() => passwords.verify('wrong', null))
    assert.isAbove(nobody, wrong / 2)
  })

  it('that many ask for at once is answered with busy instead of taking all memory', async () => {
    const hash = { salt: new Uint8Array(16), hash: new Uint8Array(32), cost: 14 }
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, () => passwords.verify('x', hash)),
    )
    const refused = all.filter((one) => one.status === 'rejected')
    assert.equal(refused.length, 8)
    for (const one of refused) assert.equal((one.reason as { code: string }).code, 'busy')
  })

  it('with a cost that was tampered with takes no memory', async () => {
    const hash = { salt: new Uint8Array(16), hash: new Uint8Array(32), cost: 40 }
    await fails('internal', () => passwords.verify('x', hash))
  })
})
