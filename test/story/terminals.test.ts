import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'
import { TerminalProcess } from '../support/terminal.ts'

const TABS = 10
const WORD = /word <\w+>/

describe(`${TABS} tabs and two terminals`, () => {
  let stack: Stack
  let browser: Browser
  const tabs: Tab[] = []
  const terminals: TerminalProcess[] = []

  before(async () => {
    stack = await startStack()
    browser = await Browser.start()
    for (const name of ['tina', 'theo']) terminals.push(new TerminalProcess(name, stack))
    for (let i = 0; i < TABS; i++) tabs.push(await browser.join(stack.pageUrl, `person${i}`))
    await Promise.all(terminals.map((terminal) => terminal.prints('* Connected')))
  })
  after(async () => {
    await Promise.all(terminals.map((terminal) => terminal.quit()))
    await browser?.close()
    await stack?.stop()
  })

  it('see each message in the lobby once, in one order', async () => {
    const words = [...tabs.keys(), 'tina', 'theo'].map((who) => `word <${who}>`)
    // All at once: the endpoint alone decides on the order.
    terminals[0]?.type('word <tina>')
    terminals[1]?.type('word <theo>')
    await Promise.all(tabs.map((tab, i) => tab.say(`word <${i}>`)))
    for (const tab of tabs) for (const word of words) await tab.sees(word)
    await Promise.all(terminals.map((terminal) => terminal.prints(...words)))
    const [first = [], ...rest] = await Promise.all(tabs.map((tab) => tab.shown(WORD)))
    assert.sameMembers(first, words)
    assert.lengthOf(first, words.length)
    for (const other of rest) assert.deepEqual(other, first)
    for (const terminal of terminals) assert.deepEqual(terminal.shown(WORD), first)
  })

  it('see private messages only where they belong, once, in one order', async () => {
    const [tina, theo] = terminals as [TerminalProcess, TerminalProcess]
    const [zero, one, two] = tabs as [Tab, Tab, Tab]
    tina.type('/pm person0 secret <a>')
    await zero.page.getByRole('list', { name: 'Conversations' }).getByText('tina').waitFor()
    await zero.openRoom('tina')
    await zero.sees('secret <a>')
    await zero.say('/pm tina secret <b>')
    await tina.prints('secret <b>')
    await one.say('/pm person2 secret <c>')
    tina.type('/pm theo secret <d>')
    await theo.prints('[private, tina]', 'secret <d>')
    theo.type('/pm tina secret <e>')
    await tina.prints('secret <e>')
    await two.openRoom('person1')
    await two.sees('secret <c>')
    const secret = /secret <\w>/
    assert.deepEqual(await zero.shown(secret), ['secret <a>', 'secret <b>'])
    assert.deepEqual(await two.shown(secret), ['secret <c>'])
    assert.deepEqual(theo.shown(secret), ['secret <d>', 'secret <e>'])
    const inOrder = (...wanted: string[]) =>
      tina.shown(secret).filter((text) => wanted.includes(text))
    assert.deepEqual(inOrder('secret <a>', 'secret <b>'), ['secret <a>', 'secret <b>'])
    assert.deepEqual(inOrder('secret <d>', 'secret <e>'), ['secret <d>', 'secret <e>'])
    assert.lengthOf(tina.shown(secret), 4)
    for (const tab of tabs.slice(3))
      assert.notInclude(await tab.page.locator('body').innerText(), 'secret')
  })

  it('have nothing to complain about, and say goodbye in order', async () => {
    for (const tab of tabs) assert.deepEqual(tab.complaints, [])
    const codes = await Promise.all(terminals.map((terminal) => terminal.quit()))
    assert.deepEqual(codes, [0, 0])
    await tabs[0]?.openRoom('Lobby')
    await tabs[0]?.people.getByRole('button', { name: /^tina\b.*Away/ }).waitFor()
  })
})
