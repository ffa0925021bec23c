import { hex } from '../protocol/bytes.ts'
import type { ChatState, ConnectionState, HandshakeView, Notice, RoomId } from './model.ts'
import type { People } from './people.ts'
import type { Profile } from './profile.ts'
import type { Rooms } from './rooms.ts'
import type { EndpointPin } from './trust.ts'

interface Source {
  readonly profile: Profile
  readonly connection: ConnectionState
  readonly handshake: HandshakeView | undefined
  readonly rooms: Rooms | undefined
  readonly people: People | undefined
  readonly notices: readonly Notice[]
  readonly endpoint: EndpointPin | undefined
  readonly host: string
}

/** Makes states in which every part that says the same as before is the same object as before. */
export class Snapshot {
  #last: ChatState | undefined

  take(source: Source): ChatState {
    const { profile, rooms, people, endpoint } = source
    const withPerson = (user: string): RoomId | undefined => rooms?.withPerson(user)
    const state: ChatState = {
      me: {
        user: profile.user,
        fingerprint: hex(profile.identity.fingerprint),
        device: hex(profile.device),
        backedUp: profile.backedUp,
      },
      connection: entering(source) ? { phase: 'entering' } : source.connection,
      rooms: rooms?.views() ?? [],
      people: people?.views(withPerson) ?? [],
      notices: source.notices,
      handshake: source.handshake,
      endpoint: {
        host: source.host,
        fingerprint: endpoint === undefined ? '' : hex(endpoint.fingerprint),
        verified: endpoint?.verified ?? false,
      },
    }
    this.#last = keep(this.#last, state)
    return this.#last
  }
}

/**
 * Who is told of a newcomer may write to them at once, so nobody is called connected who could not
 * read it. What stands in the way for longer has a text of its own in the lobby.
 */
function entering({ connection, rooms }: Source): boolean {
  return connection.phase === 'online' && rooms?.lobby?.entering === true
}

/** `next`, with every part of it that equals the part of `before` in its place taken from there. */
function keep<T>(before: T | undefined, next: T): T {
  if (Object.is(before, next) || before === undefined) return next
  if (typeof before !== 'object' || typeof next !== 'object' || !before || !next) return next
  const names = Object.keys(next) as (keyof T)[]
  const kept = (Array.isArray(next) ? [] : {}) as T
  for (const name of names) kept[name] = keep(before[name], next[name])
  const same =
    Object.keys(before).length === names.length &&
    names.every((name) => Object.is(before[name], kept[name]))
  return same ? before : kept
}
