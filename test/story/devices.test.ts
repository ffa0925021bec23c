import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

const PASSPHRASE = 'correct horse battery staple'

describe('one person in two browsers', () => {
  let stack: Stack
  let first: Browser
  let second: Browser
  let directory: string
  let alice: Tab
  let bob: Tab
  let other: Tab

  before(async () => {
    stack = await startStack()
    ;[first, second] = await Promise.all([Browser.start(), Browser.start()])
    directory = await mkdtemp(join(tmpdir(), 'sotto-devices-'))
    alice = await first.join(stack.pageUrl, 'alice')
    bob = await first.join(stack.pageUrl, 'bob')
    await alice.openPrivate('bob')
    await alice.say('from before #1')
    await alice.sent('from before #1')
    await alice.exportKey(join(directory, 'sotto-alice.pem'), PASSPHRASE)
  })
  after(async () => {
    await Promise.all([first?.close(), second?.close()])
    await stack?.stop()
    if (directory) await rm(directory, { recursive: true, force: true })
  })

  it('comes into the other one with key file and name, and is in all rooms without more', async () => {
    other = await second.open(stack.pageUrl)
    await other.readKey(join(directory, 'sotto-alice.pem'), PASSPHRASE)
    assert.equal(await other.page.getByRole('textbox', { name: 'Name' }).inputValue(), 'alice')
    await other.press('Start chatting')
    await other.online()
    await other.openRoom('bob')
    await other.says('Only bob and you can read this')
  })

  it('gets lobby and private messages on both, and writes from either as the same person', async () => {
    await bob.openRoom('alice')
    await bob.say('to both of you #2')
    await Promise.all([alice.sees('to both of you #2'), other.sees('to both of you #2')])
    await other.say('from my other browser #3')
    await other.sent('from my other browser #3')
    await bob.sees('from my other browser #3')
    await alice.sent('from my other browser #3')
    assert.deepEqual(await bob.shown(/#\d/), ['#1', '#2', '#3'])
    assert.deepEqual(await alice.shown(/#\d/), ['#1', '#2', '#3'])
    await alice.openRoom('Lobby')
    await bob.openRoom('Lobby')
    await other.openRoom('Lobby')
    await alice.say('hello lobby #4')
    await Promise.all([alice, bob, other].map((tab) => tab.sees('hello lobby #4')))
  })

  it('is one person to everybody', async () => {
    for (const tab of [alice, bob, other]) {
      assert.equal(await tab.people.getByText('alice', { exact: true }).count(), 1)
      assert.equal(await tab.people.getByRole('listitem').count(), 2)
    }
    await bob.openRoom('alice')
    await bob.press('End-to-end encrypted. Only alice and you can read this')
    await bob.says('Not verified yet, 2 devices')
  })

  it('sees both devices and removes one, after two questions', async () => {
    await alice.openPanel('Identity')
    const devices = alice.page.getByRole('list', { name: 'Devices' })
    await devices.getByText('This device').waitFor()
    assert.equal(await devices.getByRole('listitem').count(), 2)
    await devices.getByText('Online', { exact: true }).waitFor()
    await alice.front()
    await devices.getByRole('button', { name: /^Remove Device/ }).click()
    await alice.press('Yes, remove')
    await alice.press('Remove for good')
    await devices.getByText('Online', { exact: true }).waitFor({ state: 'detached' })
    assert.equal(await devices.getByRole('listitem').count(), 1)
    await alice.closePanel()
  })

  it('stops the removed one for good, which says so, also after a reload', async () => {
    for (const act of [() => undefined, () => other.page.reload()]) {
      await act()
      await other.connection.filter({ hasText: 'Stopped: This device was removed' }).waitFor()
      await other.page.getByRole('heading', { name: 'This device was removed' }).waitFor()
      assert.equal(await other.page.getByRole('button', { name: 'Reconnect' }).count(), 0)
      assert.isTrue(await other.box.isDisabled())
    }
  })

  it('writes on, and the removed device can read nothing of it', async () => {
    await alice.openRoom('bob')
    await bob.says('Not verified yet, 1 device')
    await bob.say('without the lost one #5')
    await alice.sees('without the lost one #5')
    await alice.say('good #6')
    await bob.sees('good #6')
    await other.openRoom('bob')
    assert.deepEqual(await other.shown(/#\d/), ['#2', '#3'])
    for (const tab of [alice, bob, other]) assert.deepEqual(tab.complaints, [])
  })
})
