import { setViewport } from '@web/test-runner-commands'
import { SottoError } from '../../web/protocol/errors.ts'
import { digits, ScriptedChat, ScriptedDoor } from '../support/scripted_chat.ts'
import {
  atTheDoor,
  button,
  drawn,
  inTheChat,
  nextDownload,
  one,
  type,
  until,
} from '../support/scripted_page.ts'
import { after, assert, describe, it } from '../support/suite.ts'

async function openIdentity() {
  const page = await inTheChat()
  button('Identity').click()
  const panel = await until(() => document.querySelector<HTMLElement>('identity-panel'))
  await drawn()
  return { ...page, panel }
}

/** What choosing a file in the browser's own dialog comes down to. */
function choose(panel: HTMLElement, name: string, content: string): void {
  const files = new DataTransfer()
  files.items.add(new File([content], name))
  const input = one<HTMLInputElement>('input[type=file]', panel)
  input.files = files.files
  input.dispatchEvent(new Event('change'))
}

describe('a key that exists in this browser alone', () => {
  const note = () => document.querySelector<HTMLElement>('[role=note]')

  it('is said to, calmly, beside the people; the way to a copy is one step', async () => {
    await inTheChat()
    assert.include(note()?.innerText, 'in this browser and nowhere else')
    button('Save it to a file').click()
    await until(() => document.querySelector('identity-panel'))
  })

  it('can be put aside until the page is opened again', async () => {
    await inTheChat()
    button('Later').click()
    await until(() => note() === null)
  })

  it('is said no more once it was exported', async () => {
    const { chat } = await inTheChat()
    chat.set({ me: { ...chat.state.me, backedUp: true } })
    await until(() => note() === null)
  })
})

describe('the identity panel', () => {
  after(() => setViewport({ width: 800, height: 600 }))

  it('exports the key under a passphrase, and says from then on that it is backed up', async () => {
    const { door, panel } = await openIdentity()
    await type(one<HTMLInputElement>('#passphrase'), 'correct horse')
    const file = nextDownload()
    button('Export').click()
    assert.equal((await file).name, 'sotto-alice.pem')
    assert.deepEqual(door.asked, ['export correct horse'])
    await until(() => panel.innerText.includes('Backed up'))
  })

  it('asks for a passphrase that is worth the name', async () => {
    const { door, panel } = await openIdentity()
    await type(one<HTMLInputElement>('#passphrase'), 'short')
    button('Export').click()
    await until(() => one('#identity-problem', panel).textContent?.includes('at least 8'))
    assert.deepEqual(door.asked, [])
  })

  it('reads a key file, shows its fingerprint and changes nothing until it is confirmed', async () => {
    const { door, panel } = await openIdentity()
    await type(one<HTMLInputElement>('#passphrase'), 'secret words')
    choose(panel, 'sotto-grace.pem', 'a key')
    await until(() => panel.innerText.replace(/\s/g, '').includes(digits('a key')))
    assert.deepEqual(door.asked, ['read key, passphrase secret words'])
    assert.equal(one<HTMLInputElement>('#key-name').value, 'grace')
    button('Use this key').click()
    await until(() => door.asked.length === 3)
    assert.deepEqual(door.asked.slice(1), ['leave', `start grace with ${digits('a key')}`])
    await until(() => document.querySelector('identity-panel') === null)
  })

  it('goes on at the key that was read: its card is in view, the keyboard in the name’s box', async () => {
    for (const [width, height] of [
      [390, 600],
      [800, 600],
    ] as const) {
      await setViewport({ width, height })
      const { panel } = await openIdentity()
      button('Import').focus()
      choose(panel, 'sotto-grace.pem', 'a key')
      const box = await until(() => panel.querySelector<HTMLElement>('#key-name'))
      await until(() => document.activeElement === box)
      await drawn()
      assert.equal(document.activeElement, box)
      const { top, bottom } = one('.read', panel).getBoundingClientRect()
      assert.isAtLeast(top, one('header', panel).getBoundingClientRect().bottom, `${width} wide`)
      assert.isAtMost(Math.floor(bottom), height, `${width} wide`)
    }
  })

  it('says what is wrong with a file, and keeps everything as it is', async () => {
    const { door, panel } = await openIdentity()
    const own = one('.fingerprint', panel).textContent
    door.failure = new SottoError('unavailable', 'The passphrase is wrong.')
    choose(panel, 'key.pem', 'sealed')
    await until(() => one('#identity-problem', panel).textContent === 'The passphrase is wrong.')
    choose(panel, 'film.mkv', 'x'.repeat(100_000))
    await until(() => one('#identity-problem', panel).textContent?.includes('too large'))
    assert.equal(one('.fingerprint', panel).textContent, own)
    assert.isNull(document.querySelector('#key-name'))
  })

  it('keeps what it says things in where a screen reader finds it, without room while empty', async () => {
    const { panel } = await openIdentity()
    button('Set, change or remove…').click()
    button('Set app lock…').click()
    await drawn()
    const regions = [...panel.querySelectorAll<HTMLElement>('.problem, .done')]
    assert.lengthOf(regions, 7)
    const sheet = one('.sheet', panel)
    const height = sheet.scrollHeight
    for (const region of regions) {
      assert.isTrue(region.checkVisibility({ visibilityProperty: true }), region.className)
      region.style.display = 'none'
    }
    assert.equal(sheet.scrollHeight, height)
  })

  it('deletes a person only after two questions', async () => {
    const { door } = await openIdentity()
    button('Delete…').click()
    await drawn()
    button('Keep').click()
    await drawn()
    button('Delete…').click()
    await drawn()
    button('Yes, delete').click()
    await drawn()
    assert.deepEqual(door.asked, [])
    button('Delete for good').click()
    await until(() => document.querySelector('welcome-screen'))
    assert.deepEqual(door.asked, ['leave', 'destroy'])
  })

  it('lets one be somebody else, and the person stays', async () => {
    const { door } = await openIdentity()
    button('Another person').click()
    await until(() => document.querySelector('welcome-screen'))
    assert.deepEqual(door.asked, ['leave'])
  })
})

describe('the digits of a person', () => {
  it('are said where to find and how to compare, and are verified until that is taken back', async () => {
    const { chat } = await inTheChat()
    one('.claim').click()
    await drawn()
    const readers = one('#readers')
    assert.include(readers.innerText, 'have them open Identity on their own device')
    assert.include(readers.innerText, 'face to face or by voice')
    button('I compared these digits with bob').focus()
    button('I compared these digits with bob').click()
    await until(() => readers.innerText.includes('Verified by you'))
    assert.equal(document.activeElement?.textContent?.trim(), 'Not verified after all')
    button('Not verified after all').click()
    await until(() => !readers.innerText.includes('Verified by you'))
    assert.deepEqual(chat.asked, ['verify bob', 'doubt bob'])
  })
})

describe('a tab whose person another tab took over', () => {
  it('stops, says so, and offers to take over again', async () => {
    const door = new ScriptedDoor()
    door.resumes = true
    await atTheDoor(door)
    await until(() => document.querySelector('chat-screen'))
    door.known = [{ id: 'a', user: 'alice', state: 'held' }]
    door.lose()
    await until(() => document.body.innerText.includes('alice is now open in another tab'))
    await until(() => document.body.innerText.includes('Take over'))
    assert.isNull(document.querySelector('chat-screen'))
  })
})

describe('somebody who can’t come in', () => {
  it('is not told a fault in the words of the machine, which are for the console', async () => {
    const { door } = await atTheDoor()
    const logged: unknown[] = []
    const { error } = console
    console.error = (what) => logged.push(what)
    try {
      door.failure = new TypeError('undefined is not a function')
      await type(one<HTMLInputElement>('#name'), 'grace')
      button('Start chatting').click()
      await until(() => one('#name-problem').textContent !== '')
    } finally {
      console.error = error
    }
    assert.equal(
      one('#name-problem').textContent,
      'Something went wrong here. Close Sotto, open it again and try once more.',
    )
    assert.deepEqual(logged, [door.failure])
  })

  it('finds the name that they typed, the keyboard in it, and the reason', async () => {
    const { door } = await atTheDoor()
    await type(one<HTMLInputElement>('#name'), 'grace')
    door.failure = new SottoError('unavailable', 'The server can’t be reached.')
    button('Start chatting').click()
    await until(() => one('#name-problem').textContent === 'The server can’t be reached.')
    assert.equal(one<HTMLInputElement>('#name').value, 'grace')
    assert.equal(document.activeElement, one('#name'))
    await type(one<HTMLInputElement>('#name'), 'grace2')
    assert.equal(one('#name-problem').textContent, '')
    door.failure = undefined
    button('Start chatting').click()
    await until(() => document.querySelector('chat-screen'))
    assert.deepEqual(door.asked, ['start grace', 'start grace2'])
    button('Identity').click()
    await until(() => document.querySelector('identity-panel'))
    button('Another person').click()
    await until(() => document.querySelector('#name'))
    assert.equal(one<HTMLInputElement>('#name').value, '')
  })
})

const text = 'The server did not accept you as alice: take another name.'
const refusal = { phase: 'offline', text, retryAt: 1, refused: true } as const

/** A chat with an endpoint that has not answered yet. */
function connecting(): ScriptedChat {
  const chat = new ScriptedChat()
  chat.set({ rooms: [], connection: { phase: 'connecting' } })
  return chat
}

describe('a refused name', () => {
  it('is refused as loudly when it is typed again', async () => {
    const { door } = await atTheDoor()
    door.failure = new SottoError('unavailable', 'bob is open in another tab.')
    for (let i = 0; i < 3; i++) {
      await type(one<HTMLInputElement>('#name'), 'bob')
      assert.equal(one('#name-problem').textContent, '')
      button('Start chatting').click()
      await until(
        () => document.querySelector('#name-problem')?.textContent === door.failure?.message,
      )
    }
  })
})

describe('somebody whom the endpoint does not take, before there is any conversation', () => {
  for (const how of ['made', 'exported', 'from before a reload', 'taken once'] as const)
    it(`is back at the door with the name and the reason; the key was ${how}`, async () => {
      const chat = connecting()
      const door = new ScriptedDoor(chat)
      const known = how === 'from before a reload' || how === 'taken once'
      if (how === 'taken once')
        chat.set({ endpoint: { host: 'localhost', fingerprint: digits('host'), verified: true } })
      door.resumes = known
      await atTheDoor(door)
      if (!known) button('Start chatting', await named('alice')).click()
      await until(() => document.querySelector('chat-screen .nothing'))
      if (how === 'exported') chat.set({ me: { ...chat.state.me, backedUp: true } })
      chat.set({ connection: refusal })
      await until(() => document.querySelector('#name'))
      await until(() => one('#name-problem').textContent === text)
      assert.equal(one<HTMLInputElement>('#name').value, 'alice')
      assert.equal(document.activeElement, one('#name'))
      await until(() => door.asked.includes('leave'))
      await drawn()
      // Nobody ever came in by it: it is not kept. A key that is in a file goes on by another name.
      assert.equal(door.asked.includes('destroy'), how !== 'taken once')
      await named('b')
      assert.equal(one('#name-problem').textContent, '')
      chat.set({ connection: { phase: 'connecting' } })
      button('Start chatting').click()
      await until(() => door.asked.at(-1)?.startsWith('start b'))
      const own = ` with ${chat.state.me.fingerprint}`
      assert.equal(door.asked.at(-1), `start b${how === 'exported' ? own : ''}`)
    })

  it('stays when there is one, and when the endpoint can’t be reached', async () => {
    const chat = new ScriptedChat()
    await inTheChat(chat)
    chat.set({ connection: refusal })
    await drawn()
    assert.isNotNull(document.querySelector('message-list'))
    const down = 'The server can’t be reached.'
    chat.set({ rooms: [], connection: { phase: 'offline', text: down, retryAt: 1 } })
    await until(() => document.querySelector('.nothing'))
    assert.lengthOf(document.body.innerText.match(new RegExp(down, 'g')) ?? [], 1)
    button('Try again now').click()
    assert.deepEqual(chat.asked, ['connect'])
  })

  async function named(name: string): Promise<HTMLElement> {
    await type(one<HTMLInputElement>('#name'), name)
    return one('welcome-screen')
  }
})

describe('somebody with a key file from another browser', () => {
  it('comes in as who they are', async () => {
    const { door } = await atTheDoor()
    const screen = one('welcome-screen')
    await type(one<HTMLInputElement>('#key-passphrase'), 'secret words')
    choose(screen, 'sotto-grace.pem', 'a key')
    await until(() => screen.innerText.replace(/\s/g, '').includes(digits('a key')))
    assert.equal(one<HTMLInputElement>('#name').value, 'grace')
    button('Start chatting').click()
    await until(() => door.asked.length === 2)
    assert.deepEqual(door.asked, [
      'read key, passphrase secret words',
      `start grace with ${digits('a key')}`,
    ])
  })
})

describe('somebody with a key file whose name the endpoint refuses', () => {
  const key = digits('a key')
  const screen = (): HTMLElement => one('welcome-screen')
  const shown = (): boolean => screen().innerText.replace(/\s/g, '').includes(key)
  const refused = (): Promise<unknown> =>
    until(() => document.querySelector('#name-problem')?.textContent === text)

  /** At the door, with a key file, as somebody whose name is another's. */
  async function turnedAway() {
    const chat = connecting()
    const { door } = await atTheDoor(new ScriptedDoor(chat))
    choose(screen(), 'carol.pem', 'a key')
    await until(shown)
    await start('alice')
    chat.set({ connection: refusal })
    await refused()
    return { chat, door }
  }

  async function start(name: string): Promise<void> {
    await type(one<HTMLInputElement>('#name'), name)
    button('Start chatting').click()
    await until(() => document.querySelector('chat-screen'))
  }

  it('sees that the key was read, and comes in with it by another name', async () => {
    const { door } = await turnedAway()
    assert.isTrue(shown())
    await start('carol')
    assert.equal(door.asked.at(-1), `start carol with ${key}`)
  })

  it('keeps it when the key was read in the identity panel', async () => {
    const { chat, door, panel } = await openIdentity()
    choose(panel, 'sotto-alice.pem', 'a key')
    await until(() => panel.querySelector('#key-name'))
    chat.set({ rooms: [], connection: { phase: 'connecting' } })
    button('Use this key').click()
    await until(() => door.asked.length === 3 && document.querySelector('chat-screen .nothing'))
    chat.set({ connection: refusal })
    await refused()
    assert.isTrue(shown())
    await start('carol')
    assert.equal(door.asked.at(-1), `start carol with ${key}`)
  })

  it('keeps it when coming in fails at once', async () => {
    const { door } = await atTheDoor()
    choose(screen(), 'sotto-grace.pem', 'a key')
    await until(shown)
    door.failure = new SottoError('unavailable', 'The server can’t be reached.')
    button('Start chatting').click()
    await until(() => one('#name-problem').textContent !== '')
    door.failure = undefined
    button('Start chatting').click()
    await until(() => document.querySelector('chat-screen'))
    assert.equal(door.asked.at(-1), `start grace with ${key}`)
  })

  it('may take a new key instead', async () => {
    const { door } = await turnedAway()
    button('Make a new key instead').click()
    await drawn()
    assert.isFalse(shown())
    await start('carol')
    assert.equal(door.asked.at(-1), 'start carol')
  })

  it('leaves it behind once in, and when another person comes in', async () => {
    for (const comesIn of [true, false]) {
      const { chat, door } = await turnedAway()
      await start('carol')
      if (comesIn) {
        chat.set(new ScriptedChat('carol').state)
        await until(() => document.querySelector('message-form textarea'))
        // Whatever comes later: the key is no longer waiting for a name.
        chat.set({ rooms: [], connection: refusal })
        await refused()
      } else {
        button('Identity').click()
        await until(() => document.querySelector('identity-panel'))
        button('Another person').click()
        await until(() => document.querySelector('welcome-screen'))
      }
      assert.isFalse(shown())
      await start('dave')
      assert.equal(door.asked.at(-1), 'start dave')
    }
  })
})
