import { setViewport } from '@web/test-runner-commands'
import type { ProfileView } from '../../web/ui/door.ts'
import { digits, ScriptedDoor } from '../support/scripted_chat.ts'
import { atTheDoor, button, drawn, one, type, until } from '../support/scripted_page.ts'
import { after, assert, describe, it } from '../support/suite.ts'

const name = (): HTMLInputElement => one<HTMLInputElement>('#name')

function people(count: number, state: ProfileView['state']): ProfileView[] {
  return Array.from({ length: count }, (_, i) => {
    return { id: `${state}${i}`, user: `${state} person${i}`, state }
  })
}

describe('the first screen of a browser that many people use', () => {
  after(() => setViewport({ width: 800, height: 600 }))

  it('shows the name’s box and its button without scrolling, wide and on a phone', async () => {
    for (const known of [
      people(1, 'free'),
      [...people(1, 'free'), ...people(1, 'held')],
      people(10, 'held'),
      people(20, 'free'),
      [...people(3, 'free'), ...people(10, 'held'), ...people(1, 'wiped')],
    ])
      for (const [width, height] of [
        [390, 844],
        [1280, 800],
      ] as const) {
        await setViewport({ width, height })
        const door = new ScriptedDoor()
        door.known = known
        await atTheDoor(door)
        await drawn()
        const screen = one('welcome-screen')
        screen.scrollTop = 0
        const what = `${known.length} people, ${width}`
        assert.isAtLeast(name().getBoundingClientRect().top, 0, what)
        const { bottom } = button('Start chatting').getBoundingClientRect()
        assert.isAtMost(bottom, height, what)
      }
  })

  it('says how many are open in other tabs, and lets one take over after a look', async () => {
    const door = new ScriptedDoor()
    door.known = [...people(1, 'free'), ...people(9, 'held')]
    await atTheDoor(door)
    const folded = one<HTMLDetailsElement>('section details')
    assert.isFalse(folded.open)
    assert.equal(one('summary', folded).innerText, '9 people are open in other tabs')
    one('summary', folded).click()
    button('Take over from the other tab, held person4').click()
    await until(() => door.asked.length > 0)
    assert.deepEqual(door.asked, ['enter held4 by taking over'])
  })

  it('shows them at once to whoever has just lost their place to one', async () => {
    const door = new ScriptedDoor()
    door.resumes = true
    await atTheDoor(door)
    await until(() => document.querySelector('chat-screen'))
    door.known = people(9, 'held')
    door.lose()
    const folded = await until(() => document.querySelector<HTMLDetailsElement>('section details'))
    assert.isTrue(folded.open)
  })
})

describe('a key file at the door', () => {
  const summary = (): HTMLElement => one('form summary')
  async function choose(file: string): Promise<void> {
    const files = new DataTransfer()
    files.items.add(new File(['a key'], file))
    const input = one<HTMLInputElement>('form input[type=file]')
    input.files = files.files
    input.dispatchEvent(new Event('change'))
    await until(() => document.querySelector('.key'))
    await drawn()
  }

  it('is behind something that can be seen to open', async () => {
    await atTheDoor()
    // The triangle is the marker of a list item.
    assert.equal(getComputedStyle(summary()).display, 'list-item')
    assert.isAtLeast(summary().getBoundingClientRect().height, 42)
  })

  it('has a passphrase that can be looked at while it is typed', async () => {
    await atTheDoor()
    summary().click()
    const box = one<HTMLInputElement>('#key-passphrase')
    const security = (): string => getComputedStyle(box).getPropertyValue('-webkit-text-security')
    assert.equal(security(), 'disc')
    one('.reveal input').click()
    assert.equal(security(), 'none')
    one('.reveal input').click()
    assert.equal(security(), 'disc')
  })

  it('asks for the name it belongs to when the file does not say it, and goes on when it does', async () => {
    const { door } = await atTheDoor()
    await choose('key.pem')
    assert.equal(one('#name-problem').textContent, 'Type the name it belongs to.')
    assert.isTrue(document.activeElement === name())
    button('Start chatting').click()
    await drawn()
    assert.equal(one('#name-problem').textContent, 'Type the name it belongs to.')
    await type(name(), 'grace')
    assert.equal(one('#name-problem').textContent, '')
    button('Start chatting').click()
    await until(() => document.querySelector('chat-screen'))
    assert.equal(door.asked.at(-1), `start grace with ${digits('a key')}`)
    await atTheDoor()
    await choose('sotto-grace.pem')
    assert.isTrue(document.activeElement === button('Start chatting'))
  })
})
