import { FirefoxBrowser, type FirefoxTab } from '../support/firefox_tab.ts'
import { placeOf } from '../support/places.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

const there = placeOf('firefox') !== undefined
if (!there) console.log('Nobody came from Firefox: there is none.')
const where = there ? describe : describe.skip

where('a person in Chromium and one in Firefox', () => {
  let stack: Stack
  let chromium: Browser
  let firefox: FirefoxBrowser
  let alice: Tab
  let bob: FirefoxTab

  before(async () => {
    stack = await startStack()
    ;[chromium, firefox] = await Promise.all([Browser.start(), FirefoxBrowser.start()])
    alice = await chromium.join(stack.pageUrl, 'alice')
    bob = await firefox.join(stack.pageUrl, 'bob')
  })
  after(async () => {
    await chromium?.close()
    await firefox?.close()
    await stack?.stop()
  })

  it('talk in the lobby', async () => {
    await alice.say('hello from Chromium')
    await bob.sees('hello from Chromium')
    await bob.say('hello from Firefox')
    await alice.sees('hello from Firefox')
  })

  it('talk in private, and each finds it again after a reload', async () => {
    await bob.openPrivate('alice')
    await bob.say('for Chromium alone')
    await alice.openPrivate('bob')
    await alice.sees('for Chromium alone')
    await alice.say('for Firefox alone')
    await bob.sees('for Firefox alone')
    await bob.reload()
    await bob.openPrivate('alice')
    await bob.sees('for Firefox alone')
    await bob.say('still here')
    await alice.sees('still here')
  })

  it('have nothing to complain about', () => {
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(firefox.complaints, [])
  })
})
