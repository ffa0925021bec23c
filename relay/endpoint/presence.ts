import type { Event, PersonInfo } from '../../web/protocol/messages.ts'
import type { Directory } from './directory.ts'
import type { Peer } from './peer.ts'
import type { People } from './people.ts'
import { inSlices } from './slices.ts'
import type { Carrier } from './wire.ts'

const LEAST_INTERVAL_MS = 200
const MOST_INTERVAL_MS = 30_000
/** 200 sessions hear of a change within a second, 2,000 within ten. */
const INTERVAL_PER_SESSION_MS = 5
/** What presence may cost in all, in bytes a second, and what one person takes in an event. */
const BUDGET = 4 * 1024 * 1024
const PERSON_BYTES = 512
const LEAST_PEOPLE = 16
const MOST_PEOPLE = 1_000
/** With more events than this waiting for slow carriers, no new ones are made. */
const MOST_WAITING = 1_000
/** Sessions that are told in one turn of the event loop. */
const SLICE = 64

/**
 * Tells everyone who came, went or is new. Changes are gathered, and the more sessions there are
 * the longer: each change costs one record per session, so its rate is bounded, not its number.
 * Who went and came back in between was never away.
 */
export class Presence {
  readonly #people: People
  readonly #directory: Directory
  /** What everyone was last told, of those who may have changed since. */
  readonly #before = new Map<string, boolean | undefined>()
  #timer: NodeJS.Timeout | undefined
  /** Events that wait until their carrier is calm and those before them have left. */
  #waiting = 0

  constructor(people: People, directory: Directory) {
    this.#people = people
    this.#directory = directory
  }

  /** Something about this person changed. `before`: online as last told, undefined if never. */
  changed(skeleton: string, before: boolean | undefined): void {
    if (!this.#before.has(skeleton)) this.#before.set(skeleton, before)
    this.#timer ??= setTimeout(() => void this.#flush(), this.#interval()).unref()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #interval(): number {
    const wanted = this.#directory.size * INTERVAL_PER_SESSION_MS
    return Math.min(Math.max(wanted, LEAST_INTERVAL_MS), MOST_INTERVAL_MS)
  }

  /** Who reads slowly hears later, without holding up the others. */
  async #tell(carrier: Carrier, peers: readonly Peer[], event: Event): Promise<void> {
    this.#waiting += peers.length
    const tell = async (peer: Peer): Promise<void> => {
      await peer.tell(event)
      this.#waiting -= 1
    }
    await inSlices(peers, SLICE, tell, (slice) => carrier.unhurried(slice))
  }

  async #flush(): Promise<void> {
    const people = this.#waiting > MOST_WAITING ? [] : this.#take()
    if (people.length > 0) {
      const event: Event = { ev: 'people', people }
      const carried = Map.groupBy(this.#directory.all(), ({ wire }) => wire.carrier)
      await inSlices(carried, SLICE, async ([carrier, peers]) => {
        void this.#tell(carrier, peers, event)
      })
    }
    this.#timer = undefined
    if (this.#before.size > 0)
      this.#timer = setTimeout(() => void this.#flush(), this.#interval()).unref()
  }

  #take(): PersonInfo[] {
    const affordable = (BUDGET * this.#interval()) / 1000 / (this.#directory.size * PERSON_BYTES)
    const most = Math.floor(Math.min(Math.max(affordable, LEAST_PEOPLE), MOST_PEOPLE))
    const people: PersonInfo[] = []
    for (const [skeleton, before] of this.#before) {
      if (people.length >= most) break
      this.#before.delete(skeleton)
      const person = this.#people.info(skeleton)
      if (person !== undefined && person.online !== before) people.push(person)
    }
    return people
  }
}

/** Tells every one of `peers`, with pauses in which others get their turn. */
export function tellAll(peers: Iterable<Peer>, event: Event): Promise<void> {
  return inSlices(peers, SLICE, (peer) => peer.tell(event))
}
