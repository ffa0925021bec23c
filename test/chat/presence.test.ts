import type { Clock } from '../../web/chat/clock.ts'
import { byName } from '../../web/chat/people.ts'
import { Presence } from '../../web/chat/presence.ts'
import { assert, describe, it } from '../support/suite.ts'

/** A clock that stands still until it is told how much later it is. */
class HandClock implements Clock {
  readonly #due = new Set<{ readonly at: number; readonly work: () => void }>()
  #now = 0
  now = (): number => this.#now
  steady = (): number => this.#now

  after(ms: number, work: () => void): () => void {
    const alarm = { at: this.#now + ms, work }
    this.#due.add(alarm)
    return () => this.#due.delete(alarm)
  }

  pass(seconds: number): void {
    this.#now += seconds * 1000
    for (const alarm of this.#due)
      if (alarm.at <= this.#now) {
        this.#due.delete(alarm)
        alarm.work()
      }
  }

  get waiting(): number {
    return this.#due.size
  }
}

function rig() {
  const clock = new HandClock()
  const lines: string[] = []
  return { clock, lines, presence: new Presence(clock, (line) => lines.push(line)) }
}

describe('the lines about who comes and goes', () => {
  it('say nothing of who is back within half a minute', () => {
    const { clock, lines, presence } = rig()
    presence.begin(new Set(['alice']))
    for (let i = 0; i < 3; i++) {
      presence.went('alice')
      clock.pass(29)
      presence.came('alice', false)
    }
    clock.pass(60)
    assert.deepEqual(lines, [])
    presence.went('alice')
    clock.pass(30)
    presence.came('alice', false)
    presence.came('bob', true)
    assert.deepEqual(lines, ['alice is offline', 'alice is online', 'bob joined'])
  })

  it('say nothing of those who come back one after the other when the endpoint was restarted', () => {
    const { clock, lines, presence } = rig()
    presence.begin(new Set(['me', 'alice', 'bob', 'carol']))
    presence.went('carol')
    presence.end()
    presence.went('alice')
    assert.equal(clock.waiting, 0, 'nothing keeps a process alive')
    clock.pass(300)
    presence.begin(new Set(['me']))
    clock.pass(20)
    presence.came('alice', false)
    // Nobody knows when bob and carol went.
    clock.pass(20)
    presence.came('bob', false)
    assert.deepEqual(lines, ['bob is online'])
  })
})

describe('people in a list', () => {
  it('stand as one looks them up: whatever the case, and by numbers', () => {
    const names = ['person10', 'Daniel', 'émile', 'person2', 'alice', 'Zoe', 'fred']
    assert.deepEqual(names.sort(byName.compare), [
      'alice',
      'Daniel',
      'émile',
      'fred',
      'person2',
      'person10',
      'Zoe',
    ])
  })
})
