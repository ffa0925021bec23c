import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { full, random } from '../support/random.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'
import { holdTimeLimits } from '../support/time_limits.ts'

const PASSPHRASE = 'correct horse battery staple'
const KILLS = full ? 200 : 10
const SEED = Number(process.env.SOTTO_SEED ?? 1)
/** A tab is killed up to so long (ms) after the last key was pressed. */
const MOMENTS = 120

describe('a profile', () => {
  let stack: Stack
  let browser: Browser
  let directory: string
  let bob: Tab

  before(async () => {
    stack = await startStack()
    browser = await Browser.start()
    directory = await mkdtemp(join(tmpdir(), 'sotto-profiles-'))
    bob = await browser.join(stack.pageUrl, 'bob')
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
    if (directory) await rm(directory, { recursive: true, force: true })
  })

  /** Does something to the browser's storage while no page of Sotto is open on it. */
  async function tamper(work: () => Promise<unknown>): Promise<void> {
    const page = await browser.context.newPage()
    await page.goto(new URL('sotto.json', stack.pageUrl).href)
    await page.evaluate(work)
    await page.close()
  }

  it('keeps person and messages over a reload', async () => {
    const tab = await browser.join(stack.pageUrl, 'rita')
    await tab.say('kept #1')
    await tab.sent('kept #1')
    await tab.page.reload()
    await tab.online()
    await tab.sees('kept #1')
    assert.deepEqual(await tab.shown(/#\d/), ['#1'])
    await tab.openPanel('Identity')
    await tab.says('This key exists in this browser and nowhere else.')
    await tab.closePanel()
    await tab.exportKey(join(directory, 'rita.pem'), PASSPHRASE)
    await tab.openPanel('Identity')
    await tab.says('Backed up: you have exported this key.')
    assert.deepEqual(tab.complaints, [])
    await tab.page.close()
  })

  it('that another tab has is said to be there, and is taken over in order', async () => {
    const first = await browser.open(stack.pageUrl)
    await first.enter('rita', 'Continue as')
    await first.online()
    const second = await browser.open(stack.pageUrl)
    await second.says('rita is open in another tab')
    await second.enter('rita', 'Take over from the other tab,')
    await second.online()
    await first.says('rita is now open in another tab.')
    await second.say('from the second tab #2')
    await second.sent('from the second tab #2')
    await bob.sees('from the second tab #2')
    await first.enter('rita', 'Take over from the other tab,')
    await first.online()
    await second.says('rita is now open in another tab.')
    assert.deepEqual(await first.shown(/#\d/), ['#1', '#2'])
    await second.page.close()
    await first.page.close()
  })

  it('is let go at once when it is taken over, before its tab has said goodbye', async () => {
    const first = await browser.open(stack.pageUrl)
    await first.enter('rita', 'Continue as')
    await first.online()
    const second = await browser.open('about:blank')
    // The taker waits for as long as it takes: it never takes by force.
    await holdTimeLimits(second.page)
    await second.page.goto(stack.pageUrl)
    await second.says('rita is open in another tab')
    // A goodbye without an end: it does not get out, and no timer ends the wait for its answer.
    await first.page.evaluate(() => {
      WebSocket.prototype.send = () => undefined
      WebSocket.prototype.close = () => undefined
      globalThis.setTimeout = (() => 0) as never
    })
    await second.enter('rita', 'Take over from the other tab,')
    await second.online()
    await first.says('rita is now open in another tab.')
    assert.deepEqual([...first.complaints, ...second.complaints], [])
    await Promise.all([first.page.close(), second.page.close()])
  })

  it('that is taken over while its tab still comes in does not come in there', async () => {
    const first = await browser.open(stack.pageUrl)
    const answer = Promise.withResolvers<void>()
    await first.page.route('**/sotto.json', async (route) => {
      await answer.promise
      await route.continue()
    })
    // As on the first visit: without the server's name nobody comes in.
    await first.page.evaluate(() => {
      for (const key of Object.keys(localStorage))
        if (key.startsWith('sotto.host ')) localStorage.removeItem(key)
    })
    const asked = first.page.waitForRequest('**/sotto.json')
    await first.press('Continue as rita')
    await asked
    const second = await browser.open(stack.pageUrl)
    await second.enter('rita', 'Take over from the other tab,')
    await second.online()
    answer.resolve()
    await first.says('Another tab has just opened this person. You can take over.')
    await second.say('only here')
    await second.sent('only here')
    assert.equal(await first.box.count(), 0)
    assert.deepEqual([...first.complaints, ...second.complaints], [])
    await Promise.all([first.page.close(), second.page.close()])
  })

  it('whose tab has crashed is free at once: taken over in less than two seconds', async () => {
    const first = await browser.open(stack.pageUrl)
    await first.enter('rita', 'Continue as')
    await first.online()
    const second = await browser.open(stack.pageUrl)
    await second.says('rita is open in another tab')
    await first.crash()
    const start = performance.now()
    await second.enter('rita', 'Take over from the other tab,')
    const took = performance.now() - start
    await second.online()
    assert.isBelow(took, 2000)
    await second.say('after the crash #3')
    await second.sent('after the crash #3')
    assert.deepEqual(await second.shown(/#\d/), ['#1', '#2', '#3'])
    await second.page.close()
  })

  it(`is whole after its tab was killed while it sent, ${KILLS} times (seed ${SEED})`, async () => {
    const chance = random(SEED)
    const rooms = ['Lobby', 'bob']
    const shown: Record<string, string[]> = { Lobby: [], bob: [] }
    for (let i = 0; i < KILLS; i++) {
      const tab = await browser.open(stack.pageUrl)
      await tab.enter('rita', 'Continue as')
      if (i === 0) await tab.openPrivate('bob')
      const room = rooms[i % 2] ?? 'Lobby'
      await tab.openRoom(room)
      // What stands on the screen is stored. The kill hits it, or the one after it, on its way.
      await tab.say(`<${i}a>`)
      await tab.sees(`<${i}a>`)
      shown[room]?.push(`<${i}a>`)
      await tab.say(`<${i}b>`)
      await new Promise((resolve) => setTimeout(resolve, chance.below(MOMENTS)))
      await tab.crash()
    }
    const rita = await browser.open(stack.pageUrl)
    await rita.enter('rita', 'Continue as')
    await rita.online()
    for (const room of rooms) {
      await rita.openRoom(room)
      await rita.say(`<the end>`)
      await rita.sent('<the end>')
      await bob.openRoom(room === 'bob' ? 'rita' : room)
      await bob.sees('<the end>')
      const seen = await bob.shown(/<\d+[ab]>/)
      assert.deepEqual(await rita.shown(/<\d+[ab]>/), seen, room)
      assert.lengthOf(new Set(seen), seen.length, `twice in ${room}: ${seen}`)
      assert.includeMembers(seen, shown[room] ?? [], room)
      const typed = [...seen].sort(
        (a, b) => Number.parseInt(a.slice(1), 10) - Number.parseInt(b.slice(1), 10),
      )
      assert.deepEqual(seen, typed, room)
      for (const tab of [rita, bob])
        assert.equal(
          await tab.page.getByText(/lost its keys|joined again|can’t be read/).count(),
          0,
        )
    }
    assert.deepEqual([...rita.complaints, ...bob.complaints], [])
    await rita.page.close()
  })

  it('whose store the browser has wiped is missed, and comes back with its key file', async () => {
    await bob.exportKey(join(directory, 'bob.pem'), PASSPHRASE)
    await bob.page.close()
    await tamper(async () => {
      for (const { name = '' } of await indexedDB.databases()) indexedDB.deleteDatabase(name)
    })
    const tab = await browser.open(stack.pageUrl)
    await tab.says('This browser has deleted the key of bob.')
    await tab.says('This browser has deleted the key of rita.')
    await tab.press('Forget bob')
    await tab.page.getByText('the key of bob').waitFor({ state: 'detached' })
    await tab.readKey(join(directory, 'rita.pem'), PASSPHRASE)
    await tab.page.getByRole('textbox', { name: 'Name' }).fill('rita')
    await tab.press('Start chatting')
    await tab.online()
    await tab.say('back again')
    await tab.sent('back again')
    await tab.page.close()
    const next = await browser.open(stack.pageUrl)
    await next.page.getByRole('button', { name: 'Continue as rita' }).waitFor()
    assert.equal(await next.page.getByText('has deleted').count(), 0)
    await next.page.close()
  })

  it('of which the browser has wiped a part says which, and comes back with all that is left', async () => {
    // Only the list of profiles: everything of theirs is still there.
    await tamper(async () => indexedDB.deleteDatabase('sotto'))
    let tab = await browser.open(stack.pageUrl)
    await tab.enter('rita', 'Continue as')
    await tab.online()
    await tab.sees('back again')
    await tab.page.close()
    // Only the key.
    await tamper(async () => {
      const all = await indexedDB.databases()
      const name = all.find((one) => one.name?.startsWith('sotto-'))?.name ?? ''
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open(name)
        request.onsuccess = () => resolve(request.result)
      })
      const change = database.transaction('sotto', 'readwrite')
      change.objectStore('sotto').delete('identity')
      await new Promise((resolve) => {
        change.oncomplete = resolve
      })
      database.close()
    })
    tab = await browser.open(stack.pageUrl)
    await tab.press('Continue as rita')
    await tab.says('Your key is gone: import your key file to go on as the same person.')
    await tab.readKey(join(directory, 'rita.pem'), PASSPHRASE)
    await tab.press('Start chatting')
    await tab.online()
    await tab.sees('back again')
    await tab.page.close()
  })
})
