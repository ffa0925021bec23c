import { emulateMedia } from '@web/test-runner-commands'
import 'axe-core'
import type { AxeResults, RunOptions } from 'axe-core'
import { digits, HANDSHAKE_STEPS, LOBBY, NOON, ScriptedDoor } from '../support/scripted_chat.ts'
import { atTheDoor, button, drawn, inTheChat, one, until } from '../support/scripted_page.ts'
import { assert, describe, it } from '../support/suite.ts'

declare const axe: { run(context: Element, options: RunOptions): Promise<AxeResults> }

/** Everything that axe finds wrong with what is on the screen, by day and by night, in words. */
async function faults(): Promise<string[]> {
  const found: string[] = []
  for (const colorScheme of ['dark', 'light'] as const) {
    await emulateMedia({ colorScheme })
    await drawn()
    for (const animation of document.getAnimations())
      if (animation.effect?.getComputedTiming().endTime === Number.POSITIVE_INFINITY)
        animation.cancel()
      else animation.finish()
    const { violations } = await axe.run(document.body, {
      // The document around the tests is the test runner's.
      rules: { region: { enabled: false }, 'page-has-heading-one': { enabled: false } },
    })
    for (const { id, nodes } of violations)
      for (const { html } of nodes) found.push(`${colorScheme}, ${id}: ${html}`)
  }
  return found
}

describe('the first screen', () => {
  it('has the textbox "Name" and the button "Start chatting", and no fault that axe finds', async () => {
    await atTheDoor()
    assert.equal(one<HTMLInputElement>('#name').labels?.[0]?.textContent?.trim(), 'Name')
    button('Start chatting')
    assert.deepEqual(await faults(), [])
  })

  it('puts the keyboard into "Name" and says a problem with a name at once', async () => {
    const door = new ScriptedDoor()
    await atTheDoor(door)
    assert.equal(document.activeElement?.id, 'name')
    door.problem = 'This name mixes alphabets.'
    one<HTMLInputElement>('#name').value = 'аlice'
    one('#name').dispatchEvent(new InputEvent('input', { bubbles: true }))
    await until(() => one('#name-problem').textContent?.includes('mixes alphabets'))
    assert.equal(one('#name').getAttribute('aria-invalid'), 'true')
    button('Start chatting').click()
    await drawn()
    assert.deepEqual(door.asked, [])
    assert.deepEqual(await faults(), [])
  })

  it('says that a person is open in another tab and offers somebody new beside it', async () => {
    const door = new ScriptedDoor()
    door.known = [
      { id: 'a', user: 'alice', state: 'held' },
      { id: 'b', user: 'bob', state: 'free' },
      { id: 'c', user: 'carol', state: 'wiped' },
    ]
    await atTheDoor(door)
    const text = await until(
      () =>
        document.body.innerText.includes('alice is open in another tab') && document.body.innerText,
    )
    assert.include(text, 'has deleted the key of carol')
    button('Start chatting')
    assert.deepEqual(await faults(), [])
    button('Take over from the other tab, alice').click()
    await until(() => door.asked.length > 0)
    assert.deepEqual(door.asked, ['enter a by taking over'])
  })

  it('says why nobody can chat from here, and asks for nothing', async () => {
    const door = new ScriptedDoor()
    door.resumes = true
    door.lacks = 'This page came over plain HTTP. Open it with https:// in front.'
    await atTheDoor(door)
    assert.include(one('[role=alert]').innerText, door.lacks)
    assert.isNull(document.querySelector('sotto-app :is(input, button)'))
    document.dispatchEvent(new Event('visibilitychange'))
    assert.deepEqual(await faults(), [])
  })

  it('shows how far the making of a key has come', async () => {
    const door = new ScriptedDoor()
    door.start = (_name, _key, progress) => {
      progress('store')
      return new Promise(() => {})
    }
    await atTheDoor(door)
    one<HTMLInputElement>('#name').value = 'alice'
    button('Start chatting').click()
    await until(() => document.querySelector('progress'))
    assert.include(one('[aria-current=step]').textContent ?? '', 'store')
    assert.deepEqual(await faults(), [])
  })
})

describe('the chat', () => {
  it('has the names by which assistive technology and tests know it', async () => {
    await inTheChat()
    assert.equal(one('message-form textarea').getAttribute('aria-label'), 'Message')
    assert.equal(one('[role=log]').getAttribute('aria-label'), 'Messages')
    assert.equal(one('[role=status][aria-label=Connection]').textContent?.trim(), 'Connected')
    const people = one('people-list [role=list]')
    assert.equal(one(`#${people.getAttribute('aria-labelledby')}`).textContent, 'People')
    for (const name of ['Send', 'Identity', 'Handshake', 'Leave']) button(name)
  })

  it('has no fault that axe finds, with messages of every kind and all notices', async () => {
    const { chat } = await inTheChat()
    chat.put(
      LOBBY,
      { kind: 'system', id: 's', text: 'bob joined', at: NOON },
      chat.message({ from: 'bob', text: 'see https://example.org/' }),
      chat.message({ from: 'bob', text: 'and more' }),
      chat.message({ from: 'alice', text: 'waits', state: 'waiting', unsent: true }),
      chat.message({ from: 'alice', text: 'failed', state: 'failed', reason: 'No.' }),
    )
    for (const kind of ['info', 'warning', 'mitm'] as const)
      chat.notify({ kind, title: `A ${kind}`, seen: 'Something.', advice: 'Do this.' })
    assert.deepEqual(await faults(), [])
  })

  it('always says that it is encrypted and who can read it, and lists them on demand', async () => {
    await inTheChat()
    const claim = one('.claim')
    assert.include(claim.textContent ?? '', 'End-to-end encrypted')
    assert.include(claim.textContent ?? '', '3 people can read this')
    claim.click()
    await drawn()
    assert.equal(claim.getAttribute('aria-expanded'), 'true')
    assert.include(one('#readers').innerText.replace(/\s/g, ''), digits('bob'))
    assert.deepEqual(await faults(), [])
  })

  it('says which conversation is stopped and why, and where not all was sent', async () => {
    const { chat } = await inTheChat()
    chat.setRoom(LOBBY, { phase: 'stopped', text: 'What the server keeps of this is damaged.' })
    await drawn()
    assert.include(one('room-list [aria-current=true]').innerText, 'Stopped')
    assert.equal(
      one('[role=status][aria-label=Conversation]').innerText.trim(),
      'What the server keeps of this is damaged.',
    )
    chat.setRoom(LOBBY, { phase: 'ready', text: '', failed: 1 })
    await drawn()
    assert.include(one('room-list [aria-current=true]').innerText, 'Not all was sent')
    assert.deepEqual(await faults(), [])
  })

  it('says in words why it is offline, and offers to reconnect', async () => {
    const { chat } = await inTheChat()
    const text = 'the server can’t be reached.'
    chat.set({ connection: { phase: 'offline', text, retryAt: Date.now() + 9000 } })
    await drawn()
    const status = one('[role=status][aria-label=Connection]')
    assert.match(status.innerText, /^Offline: the server can’t be reached\.\s+Next try in \d s\.$/)
    assert.equal(one('.soft', status).getAttribute('aria-hidden'), 'true')
    button('Reconnect').click()
    assert.include(chat.asked, 'connect')
    assert.deepEqual(await faults(), [])
  })

  it('shows the number of unread messages in the title, and neither names nor words', async () => {
    const { chat } = await inTheChat()
    await chat.openPrivate('bob')
    chat.hear(chat.state.rooms[1]?.room ?? LOBBY, 'bob', 'a secret')
    await drawn()
    assert.equal(document.title, '(1) Sotto')
  })
})

describe('what opens over the chat', () => {
  it('is free of faults that axe finds: the identity', async () => {
    const { door } = await inTheChat()
    button('Identity').click()
    await until(() => document.querySelector('identity-panel dialog[open]'))
    assert.equal(one<HTMLInputElement>('#passphrase').labels?.[0]?.textContent, 'Passphrase')
    for (const name of ['Export', 'Import']) button(name)
    assert.include(one('identity-panel').innerText, 'Not backed up')
    assert.deepEqual(await faults(), [])
    assert.deepEqual(door.asked, [])
  })

  it('is free of faults that axe finds: the handshake', async () => {
    const { chat } = await inTheChat()
    const transcript = digits('end')
    chat.set({
      handshake: { mode: 'full', done: true, ms: 18, steps: HANDSHAKE_STEPS, transcript },
    })
    button('Handshake').click()
    const panel = await until(() => document.querySelector<HTMLElement>('handshake-view'))
    await drawn()
    assert.lengthOf([...panel.querySelectorAll('.step')], HANDSHAKE_STEPS.length)
    assert.include(panel.innerText.replace(/\s/g, ''), transcript)
    for (const details of panel.querySelectorAll('details')) details.open = true
    assert.deepEqual(await faults(), [])
  })

  it('is free of faults that axe finds: passwords', async () => {
    const { chat } = await inTheChat()
    const endpoint = { host: 'localhost', fingerprint: digits('endpoint'), verified: false }
    const text = 'Members only.'
    chat.set({ connection: { phase: 'admission', needs: 'register', text }, endpoint })
    await until(() => document.querySelector('admission-dialog dialog[open]'))
    assert.deepEqual(await faults(), [])
    one<HTMLInputElement>('#server-password').value = 'open sesame'
    button('Come in').click()
    await until(() => chat.asked.length > 0)
    assert.deepEqual(chat.asked, ['admit {"serverPassword":"open sesame"}'])
  })

  it('is free of faults that axe finds: an alarm that blocks, with the safe choice first', async () => {
    const { chat } = await inTheChat()
    chat.notify({
      kind: 'mitm',
      blocking: true,
      title: 'Possible man-in-the-middle attack',
      seen: 'Another key.',
      advice: 'Ask.',
      choices: [
        { choice: 'trust', label: 'Trust the new key', danger: true },
        { choice: 'stay', label: 'Stay disconnected', danger: false },
      ],
    })
    await until(() => document.querySelector('notice-dialog dialog[open]'))
    assert.equal(document.activeElement?.textContent, 'Stay disconnected')
    assert.deepEqual(await faults(), [])
    one('notice-dialog dialog').dispatchEvent(new Event('cancel', { cancelable: true }))
    assert.isTrue(one<HTMLDialogElement>('notice-dialog dialog').open)
    button('Stay disconnected').click()
    await until(() => document.querySelector('notice-dialog') === null)
    assert.include(chat.asked, 'decide stay')
  })
})
