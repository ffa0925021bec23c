/**
 * A process that is killed, or whose disk fails: several senders write to a store at once, each
 * sends a message again, the same bytes, until it is acknowledged, and only then the next. It
 * says on stdout what happened, a line each: `acked <sender> <number> <seq>`, `refused <sender> <number> <code>`,
 * `state ok` or `state <text>`, at last `done`. With `witness` the lines of acknowledgements go to
 * a file in the store's directory too. A line on stdin ends it properly.
 */
import { EventEmitter, once } from 'node:events'
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { SottoError } from '../../web/protocol/errors.ts'
import { message, open, people, roomNamed, roomOf } from './store_fixture.ts'

export interface BurstOptions {
  readonly dir: string
  readonly senders: number
  /** Of each sender. */
  readonly messages: number
  readonly witness: boolean
}

/** The id by which a message of the burst is known. */
export function burstId(sender: number, number: number): string {
  return `burst ${sender} ${number}`
}

export const burstRoom = roomNamed('ann bob')

/** Said in full before anything else happens, however slowly it is heard. */
function say(line: string): void {
  let left = Buffer.from(`${line}\n`)
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

async function burst({ dir, senders, messages, witness }: BurstOptions): Promise<void> {
  const file = witness ? openSync(join(dir, 'witness'), 'a') : undefined
  let ending = false
  const working = new EventEmitter().setMaxListeners(senders + 1)
  const store = await open(dir, {
    onState: (state) => {
      say(state.ok ? 'state ok' : `state ${state.text}`)
      if (state.ok) working.emit('again')
    },
  })
  process.stdin.once('data', () => {
    ending = true
    working.emit('again')
  })

  if (store.account('ann') === undefined) {
    await people(store, 'ann', 'bob')
    await roomOf(store, 'ann', 'bob')
  }
  say('started')
  const send = async (sender: number): Promise<void> => {
    for (let number = 0; number < messages && !ending; ) {
      const name = sender % 2 === 0 ? 'ann' : 'bob'
      try {
        const { seq } = await store.append(message(burstRoom, name, burstId(sender, number)))
        if (file !== undefined) writeSync(file, `acked ${sender} ${number} ${seq}\n`)
        say(`acked ${sender} ${number} ${seq}`)
        number += 1
      } catch (error) {
        if (!(error instanceof SottoError)) throw error
        say(`refused ${sender} ${number} ${error.code}`)
        if (!store.state.ok && !ending) await once(working, 'again')
      }
    }
  }
  // Holds the process while the store waits to come back.
  const alive = setInterval(() => {}, 1000)
  await Promise.all(Array.from({ length: senders }, (_, sender) => send(sender)))
  await store.close()
  clearInterval(alive)
  say('done')
  process.exit(0)
}

const [, script, options] = process.argv
if (script === import.meta.filename) await burst(JSON.parse(options ?? '{}') as BurstOptions)
