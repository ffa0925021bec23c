import { hex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { RoomInfo } from '../protocol/messages.ts'
import { skeleton } from '../protocol/names.ts'
import type { RoomId, RoomView } from './model.ts'
import { byName } from './people.ts'
import type { Link, RoomDeps } from './room_deps.ts'
import { type Meta, RoomStore } from './room_store.ts'
import { RoomSync } from './room_sync.ts'

/** All rooms of this device, those too that only its store still knows. */
export class Rooms {
  readonly #deps: RoomDeps
  readonly #rooms = new Map<string, RoomSync>()
  readonly #opening = new Map<string, Promise<RoomSync>>()

  private constructor(deps: RoomDeps) {
    this.#deps = deps
  }

  /** Opens every stored room: a few reads each, whatever their length. */
  static async open(deps: RoomDeps): Promise<Rooms> {
    const rooms = new Rooms(deps)
    const stored = await deps.storage.keys('room/')
    const ids = stored.map((key) => key.slice('room/'.length))
    await Promise.all(ids.map((id) => rooms.#open(id, { kind: 'private', peer: '' })))
    return rooms
  }

  get(id: string): RoomSync | undefined {
    return this.#rooms.get(id)
  }

  get lobby(): RoomSync | undefined {
    return [...this.#rooms.values()].find(({ store }) => store.meta.kind === 'lobby')
  }

  /** The private room with this person that is still in use. */
  withPerson(user: string): RoomId | undefined {
    const name = skeleton(user)
    const found = [...this.#rooms.values()].find(
      ({ store, over }) => !over && store.meta.peer !== '' && skeleton(store.meta.peer) === name,
    )
    return found?.id as RoomId | undefined
  }

  /** The lobby first, then the one with the latest message, and those that are over last. */
  views(): RoomView[] {
    return [...this.#rooms.values()]
      .map((room) => room.view())
      .sort(
        (a, b) =>
          Number(b.kind === 'lobby') - Number(a.kind === 'lobby') ||
          Number(a.phase === 'gone') - Number(b.phase === 'gone') ||
          b.lastActivity - a.lastActivity ||
          byName.compare(a.title, b.title),
      )
  }

  /** The session tells of a room. `current` is false once that session is over. */
  async tell(link: Link, info: RoomInfo, current: () => boolean): Promise<void> {
    const me = skeleton(this.#deps.me.user)
    const others = info.members.filter(({ user }) => skeleton(user) !== me)
    // Whose devices are taken out of a room after they have left it are told of that too.
    if (info.kind === 'private' && others.length === info.members.length) return
    const id = hex(info.room)
    // It was over before this device came: nothing in it is for us.
    if (info.kind === 'private' && others.length === 0 && !this.#opening.has(id)) return
    const room = await this.#open(id, { kind: info.kind, peer: others[0]?.user ?? '' })
    // It may have been removed meanwhile.
    if (!current() || this.#rooms.get(id) !== room) return
    if (room.linkedTo(link)) room.inform(info)
    else room.online(link, info)
    this.#deps.changed()
  }

  /** What the endpoint no longer counts among ours is over. */
  keep(mine: ReadonlySet<string>): void {
    for (const [id, room] of this.#rooms) if (!mine.has(id)) room.end()
  }

  /**
   * Takes a room that is over off this device, in one write with `changes`. Throws SottoError
   * `refused` while it is not over.
   */
  async remove(id: string, changes: Map<string, unknown>): Promise<void> {
    const room = this.#rooms.get(id)
    if (!room?.over) throw new SottoError('refused', 'This conversation is not over.')
    // What comes for it from now on finds nothing.
    this.#rooms.delete(id)
    try {
      await room.remove(changes)
      this.#opening.delete(id)
    } catch (error) {
      this.#rooms.set(id, room)
      throw error
    }
  }

  /** The endpoint has stopped this room, and says why. */
  stopped(id: string, text: string): void {
    this.#rooms.get(id)?.stopped(text)
  }

  offline(): void {
    for (const room of this.#rooms.values()) room.offline()
    this.#deps.changed()
  }

  poke(): void {
    for (const room of this.#rooms.values()) room.poke()
  }

  /** All of them, in no order. */
  get all(): RoomSync[] {
    return [...this.#rooms.values()]
  }

  /** The endpoint is another one by the person's decision: every group is made or joined anew. */
  async startOver(): Promise<void> {
    for (const room of this.#rooms.values()) await room.startOver()
  }

  async settled(): Promise<void> {
    for (const room of this.#rooms.values()) await room.settled()
  }

  #open(id: string, fallback: Pick<Meta, 'kind' | 'peer'>): Promise<RoomSync> {
    const open = this.#opening.get(id)
    if (open !== undefined) return open
    const { storage, vault } = this.#deps
    const opening = RoomStore.open(storage, vault, id, fallback).then((store) => {
      const room = new RoomSync(store, this.#deps)
      this.#rooms.set(id, room)
      return room
    })
    this.#opening.set(id, opening)
    opening.catch(() => this.#opening.delete(id))
    return opening
  }
}
