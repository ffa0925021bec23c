import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser } from '../support/tabs.ts'

describe('two tabs of one browser', () => {
  let stack: Stack
  let browser: Browser

  before(async () => {
    stack = await startStack()
    browser = await Browser.start()
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
  })

  it('are two people who talk, in the lobby and in private', async () => {
    const alice = await browser.join(stack.pageUrl, 'alice')
    const bob = await browser.join(stack.pageUrl, 'bob')

    await alice.say('hello from alice #1')
    await bob.sees('hello from alice #1')
    await bob.say('hello from bob #2')
    await alice.sees('hello from bob #2')
    assert.deepEqual(await alice.shown(/#\d/), ['#1', '#2'])
    assert.deepEqual(await bob.shown(/#\d/), ['#1', '#2'])

    await alice.people.getByText('bob', { exact: true }).click()
    await alice.say('only for bob #3')
    await alice.sees('only for bob #3')
    await bob.people.getByText('alice', { exact: true }).click()
    await bob.sees('only for bob #3')
    await bob.say('/pm alice only for alice #4')
    await bob.sees('only for alice #4')
    await alice.sees('only for alice #4')
    assert.deepEqual(await alice.shown(/#\d/), ['#3', '#4'])

    const carol = await browser.join(stack.pageUrl, 'carol')
    await carol.say('hello from carol #5')
    await carol.sees('hello from carol #5')
    assert.notInclude(await carol.page.locator('body').innerText(), 'only for')
    for (const tab of [alice, bob, carol]) assert.deepEqual(tab.complaints, [])
    await Promise.all([alice, bob, carol].map((tab) => tab.page.close()))
  })

  it('end a private conversation for both, and begin another one', async () => {
    const emma = await browser.join(stack.pageUrl, 'emma')
    const finn = await browser.join(stack.pageUrl, 'finn')
    await emma.openPrivate('finn')
    await emma.say('the last word')
    await emma.sent('the last word')
    await finn.openRoom('emma')
    await finn.sees('the last word')
    await emma.press('End conversation')
    await emma.press('End it')
    for (const [tab, line] of [
      [emma, 'You ended this conversation.'],
      [finn, 'emma has ended this conversation.'],
    ] as const) {
      await tab.sees(line)
      await tab.says('Over: nobody can write here')
      assert.equal(await tab.box.count(), 0)
      assert.equal(await tab.page.getByRole('button', { name: 'End it' }).count(), 0)
    }
    await emma.page.reload()
    await emma.online()
    await emma.openRoom('finn')
    await emma.sees('You ended this conversation.')
    await finn.press('Write to emma again')
    await finn.say('and another thing')
    await finn.sent('and another thing')
    await emma.press('Open the new conversation with finn')
    await emma.sees('and another thing')
    // What is over can go from the list, and stays gone.
    const rooms = emma.page.getByRole('list', { name: 'Conversations' })
    await rooms.getByText('Over').click()
    await emma.press('Remove from the list')
    await emma.press('Remove it')
    await rooms.getByText('Over').waitFor({ state: 'detached' })
    await emma.page.reload()
    await emma.online()
    assert.equal(await rooms.getByText('finn').count(), 1)
    await emma.openRoom('finn')
    await emma.sees('and another thing')
    for (const tab of [emma, finn]) assert.deepEqual(tab.complaints, [])
    await Promise.all([emma, finn].map((tab) => tab.page.close()))
  })

  it('see a name that somebody else has refused, and can pick another', async () => {
    const dora = await browser.join(stack.pageUrl, 'dora')
    const thief = await browser.open(stack.pageUrl)
    await thief.start('DORA')
    await thief.page
      .getByText(/name may be taken|somebody else|another name/i)
      .first()
      .waitFor()
    // They are back at the door, and nothing is left of the name that is not theirs.
    assert.equal(await thief.page.getByRole('textbox', { name: 'Name' }).inputValue(), 'DORA')
    await thief.page.reload()
    await thief.says('dora is open in another tab')
    assert.equal(await thief.page.getByRole('button', { name: 'Continue as DORA' }).count(), 0)
    await thief.start('dora the second')
    await thief.online()
    await Promise.all([dora, thief].map((tab) => tab.page.close()))
  })
})
