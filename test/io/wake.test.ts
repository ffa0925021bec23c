import { onWake } from '../../web/io/wake.ts'
import { assert, describe, it } from '../support/suite.ts'

describe('a page that is looked at again', () => {
  it('wakes, as when the browser says that it is online; and no more after its end', () => {
    let woken = 0
    const end = onWake(() => {
      woken += 1
    })
    let seen: DocumentVisibilityState = 'hidden'
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => seen })
    try {
      document.dispatchEvent(new Event('visibilitychange'))
      assert.equal(woken, 0)
      seen = 'visible'
      document.dispatchEvent(new Event('visibilitychange'))
      assert.equal(woken, 1)
      dispatchEvent(new Event('online'))
      assert.equal(woken, 2)
      end()
      document.dispatchEvent(new Event('visibilitychange'))
      dispatchEvent(new Event('online'))
      assert.equal(woken, 2)
    } finally {
      Reflect.deleteProperty(document, 'visibilityState')
    }
  })
})
