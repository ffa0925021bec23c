import { SottoError } from '../../web/protocol/errors.ts'
import { digits, LOBBY, ScriptedChat, ScriptedDoor } from '../support/scripted_chat.ts'
import { atTheDoor, button, drawn, inTheChat, one, type, until } from '../support/scripted_page.ts'
import { assert, describe, it } from '../support/suite.ts'

async function openIdentity(chat?: ScriptedChat) {
  const page = await inTheChat(chat)
  button('Identity').click()
  const panel = await until(() => document.querySelector<HTMLElement>('identity-panel'))
  await until(() => panel.innerText.includes('You are using it now'))
  return { ...page, panel }
}

function fill(id: string, value: string): Promise<void> {
  return type(one<HTMLInputElement>(`#${id}`), value)
}

/** A refusal as the endpoint gives it to whoever guesses. */
function slowedDown(ms: number): Error {
  return Object.assign(new SottoError('refused', 'The password is wrong.'), {
    refusal: { retryAfter: ms },
  })
}

describe('the list of devices', () => {
  it('marks this one and says of the others when they were seen', async () => {
    const { panel } = await openIdentity()
    const [mine, other] = panel.querySelectorAll('device-list li')
    assert.include(mine?.textContent ?? '', 'This device')
    assert.isNull(mine?.querySelector('button'))
    assert.include(other?.textContent ?? '', 'Device abab abab')
    assert.match(other?.textContent ?? '', /Last seen .*\d\d:\d\d/)
  })

  it('removes one only after two questions', async () => {
    const { chat, panel } = await openIdentity()
    button('Remove Device abab abab').click()
    await drawn()
    button('Keep', one('device-list')).click()
    await drawn()
    button('Remove Device abab abab').click()
    await drawn()
    button('Yes, remove').click()
    await drawn()
    assert.deepEqual(chat.asked, [])
    button('Remove for good').click()
    await until(() => panel.querySelectorAll('device-list li').length === 1)
    assert.deepEqual(chat.asked, [`remove device ${'ab'.repeat(16)}`])
  })
})

describe('a device that was removed', () => {
  it('says so, offers no reconnecting and takes no messages', async () => {
    const { chat } = await inTheChat()
    chat.set({
      connection: { phase: 'stopped', text: 'This device was removed.', final: true },
    })
    await drawn()
    const status = one('[role=status][aria-label=Connection]')
    assert.include(status.textContent ?? '', 'Stopped: This device was removed.')
    assert.throws(() => button('Reconnect'))
    assert.isTrue(one<HTMLTextAreaElement>('textarea').disabled)
  })
})

describe('the account password', () => {
  it('is set, with the present one beside it', async () => {
    const { chat, panel } = await openIdentity()
    button('Set, change or remove…').click()
    await drawn()
    await fill('password-now', 'the old one')
    await fill('password-next', 'short')
    button('Set password').click()
    await until(() => panel.innerText.includes('at least 8 characters'))
    await fill('password-next', 'long enough')
    button('Set password').click()
    await until(() => panel.innerText.includes('The password is set.'))
    assert.deepEqual(chat.asked, ['password long enough instead of the old one'])
  })

  it('is set only after a warning while nobody has vouched for the server’s key', async () => {
    const { chat, panel } = await openIdentity()
    const seen = { host: 'localhost', fingerprint: digits('endpoint'), verified: false }
    chat.set({ endpoint: seen })
    button('Set, change or remove…').click()
    await until(() => panel.innerText.includes('This server’s key is not verified yet.'))
    assert.include(panel.innerText.replace(/\s/g, ''), seen.fingerprint)
  })

  it('is not tried again before the endpoint takes another try', async () => {
    const { chat, panel } = await openIdentity()
    button('Set, change or remove…').click()
    await drawn()
    chat.failure = slowedDown(600)
    button('Remove password').click()
    await until(() => panel.innerText.includes('The next try is taken in 0:01.'))
    assert.isTrue(button('Remove password').disabled)
    await until(() => !button('Remove password').disabled)
    button('Remove password').click()
    await until(() => panel.innerText.includes('has no password now'))
  })
})

describe('the question for passwords', () => {
  it('asks newcomers for the server’s too, and counts down while no try is taken', async () => {
    const { chat } = await inTheChat()
    chat.set({ connection: { phase: 'admission', needs: 'register', text: 'It is asked for.' } })
    await until(() => document.querySelector('admission-dialog dialog'))
    await fill('server-password', 'a guess')
    chat.failure = slowedDown(95_000)
    button('Come in').click()
    await until(() => one('admission-dialog').innerText.includes('The next try is taken in 1:35.'))
    assert.isTrue(button('Come in').disabled)
    chat.set({ connection: { phase: 'admission', needs: 'login', text: 'Your own is.' } })
    await until(() => document.querySelector('#server-password') === null)
  })

  it('says which key to ask for as long as nobody has vouched for it', async () => {
    const { chat } = await inTheChat()
    const seen = { host: 'localhost', fingerprint: digits('endpoint'), verified: false }
    const connection = { phase: 'admission', needs: 'login', text: 'Your own is.' } as const
    const about = () => document.querySelector<HTMLElement>('#admission-about')?.innerText ?? ''
    chat.set({ connection, endpoint: seen })
    await until(() => about().includes('not verified yet'))
    assert.include(about().replace(/\s/g, ''), seen.fingerprint)
    chat.set({ endpoint: { ...seen, verified: true } })
    await until(() => about().trim() === 'Your own is.')
  })
})

describe('the app lock', () => {
  it('is set with a passphrase that is typed twice, closed at once, and taken off', async () => {
    const { door, panel } = await openIdentity()
    button('Set app lock…').click()
    await drawn()
    await fill('lock-next', 'several words')
    await fill('lock-again', 'other words')
    button('Set app lock').click()
    await until(() => panel.innerText.includes('The two are not the same.'))
    assert.isUndefined(door.passphrase)
    await fill('lock-again', 'several words')
    button('Set app lock').click()
    await until(() => panel.innerText.includes('The app lock is set.'))
    assert.equal(door.passphrase, 'several words')
    button('Lock now').click()
    await until(() => door.asked.includes('lock now'))
    button('Take off…').click()
    await drawn()
    await fill('lock-now', 'not it')
    button('Take it off').click()
    await until(() => panel.innerText.includes('The passphrase is wrong.'))
    await fill('lock-now', 'several words')
    button('Take it off').click()
    await until(() => panel.innerText.includes('The app lock is off.'))
  })

  it('asks for its passphrase at the door, says when it is wrong, and lets one be somebody else', async () => {
    const door = new ScriptedDoor()
    door.resumes = true
    door.passphrase = 'several words'
    await atTheDoor(door)
    await until(() => document.body.innerText.includes('alice is locked'))
    await until(() => document.activeElement?.id === 'lock-passphrase')
    await fill('lock-passphrase', 'a guess')
    button('Unlock').click()
    await until(() => document.body.innerText.includes('The passphrase is wrong.'))
    button('Somebody else').click()
    await until(() => document.querySelector('#name'))
    assert.equal(door.asked.at(-1), 'cancel')

    door.known = [{ id: 'a', user: 'alice', state: 'free' }]
    await atTheDoor(door)
    await fill('lock-passphrase', 'several words')
    button('Unlock').click()
    await until(() => document.querySelector('chat-screen'))
  })
})

describe('a draft', () => {
  it('that was typed before the page was loaded stands in the box again', async () => {
    const chat = new ScriptedChat()
    chat.drafts.set(LOBBY, 'half a sent')
    await inTheChat(chat)
    assert.equal(one<HTMLTextAreaElement>('textarea').value, 'half a sent')
    await type(one<HTMLTextAreaElement>('textarea'), 'half a sentence')
    assert.equal(chat.drafts.get(LOBBY), 'half a sentence')
  })
})

describe('a notice that blocks', () => {
  it('can be put aside to read on, stands above the conversation then, and can still be decided', async () => {
    const { chat } = await inTheChat()
    chat.decide = async (_, choice) => void chat.asked.push(`decide ${choice}`)
    chat.notify({
      id: 'endpoint/x',
      kind: 'mitm',
      title: 'Another key',
      blocking: true,
      choices: [
        { choice: 'stay', label: 'Stay disconnected', danger: false },
        { choice: 'trust', label: 'Trust the new key', danger: true },
      ],
    })
    await until(() => document.querySelector('notice-dialog dialog'))
    assert.isNull(document.querySelector('notice-list .notice'))
    button('Stay disconnected').click()
    await until(() => document.querySelector('notice-dialog') === null)
    assert.include(one('notice-list').innerText, 'Another key')
    assert.throws(() => button('Stay disconnected'))
    assert.throws(() => button('Dismiss'))
    button('Trust the new key').click()
    await drawn()
    assert.deepEqual(chat.asked, ['decide stay', 'decide trust'])
  })
})

describe('somebody whose key the browser has deleted', () => {
  it('is told so, and asked for the key file under their name', async () => {
    const door = new ScriptedDoor()
    door.known = [
      { id: 'a', user: 'alice', state: 'free' },
      { id: 'c', user: 'carol', state: 'wiped' },
    ]
    await atTheDoor(door)
    button('Forget carol').click()
    await until(() => !document.body.innerText.includes('carol'))
    door.failure = new SottoError('bad_key', 'Your key is gone: import your key file.')
    button('Continue as alice').click()
    await until(() => document.body.innerText.includes('Your key is gone'))
    assert.equal(one<HTMLInputElement>('#name').value, 'alice')
    assert.isTrue(one<HTMLDetailsElement>('details').open)
    assert.equal(document.activeElement?.id, 'key-passphrase')
    assert.deepEqual(door.asked, ['forget c', 'enter a'])
  })
})
