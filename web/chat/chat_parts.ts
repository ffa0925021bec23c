import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import { SottoError } from '../protocol/errors.ts'
import type { Primitives } from '../protocol/primitives.ts'
import type { ChatLife } from './chat_life.ts'
import { ChatSession, hostKey } from './chat_session.ts'
import type { Clock } from './clock.ts'
import { Decisions } from './decisions.ts'
import { Drafts } from './drafts.ts'
import { Keeper } from './keeper.ts'
import { Keyring } from './keyring.ts'
import type { Notice } from './model.ts'
import { NOT_ACCEPTED, personChanged, pinsLost, trouble } from './notice_texts.ts'
import { Notices } from './notices.ts'
import { People } from './people.ts'
import type { Profile } from './profile.ts'
import type { RoomDeps } from './room_deps.ts'
import { OldSelf } from './room_renewal.ts'
import { Rooms } from './rooms.ts'
import type { Dial } from './transport.ts'
import { Trust } from './trust.ts'

export interface ChatOptions {
  readonly profile: Profile
  readonly dial: Dial
  /** The endpoint's configured name. */
  readonly host: string
  /** SHA-256 of the endpoint's SPKI, from an invitation; undefined trusts the first one seen. */
  readonly pin: Bytes | undefined
  readonly primitives: Primitives
  readonly clock?: Clock
  /** Numbers in [0, 1), for the times of reconnecting. */
  readonly random?: () => number
  /** Calls back when a connection may be possible again; returns what ends that. */
  readonly onWake?: (wake: () => void) => () => void
  /** What became of the store before it was opened, for the person to know; empty for nothing. */
  readonly news?: string
  /** Where faults of this program go. They hold no secrets. */
  readonly log?: (error: unknown) => void
}

/** What exists once the store has been read. */
export interface Parts {
  readonly trust: Trust
  readonly notices: Notices
  readonly drafts: Drafts
  readonly people: People
  readonly rooms: Rooms
  readonly keeper: Keeper
  readonly session: ChatSession
  readonly decisions: Decisions
}

/** Reads the store and puts together what a chat is made of. Rejects when it can't be read. */
export async function openParts(
  options: ChatOptions,
  clock: Clock,
  life: ChatLife,
  changed: () => void,
): Promise<Parts> {
  const { profile, host, pin, dial, primitives, random = Math.random, news } = options
  const { storage, vault } = profile
  const [trust, notices, drafts] = await Promise.all([
    Trust.open(storage, vault, host),
    Notices.open(storage, vault),
    Drafts.open(storage, vault),
  ])
  const raise = (notice: Notice) => {
    notices.raise(notice)
    changed()
  }
  const log = (error: unknown) => options.log?.(error)
  const keyring = new Keyring(profile, clock)
  const people = new People(primitives, trust, profile.user)
  const dismiss = (id: string) => notices.dismiss(id)
  const room = { life, trust, keyring, clock, raise, dismiss, changed, log }
  const rooms = await Rooms.open(roomDeps(options, room))
  if (news) raise(trouble(news, 'store'))
  await life.recall()
  if (!life.over && trust.lost) {
    const notice = pinsLost(host)
    raise(notice)
    life.set({ phase: 'stopped', text: notice.seen })
  } else if (!life.over) await trust.restore(rooms.all.flatMap(({ store }) => store.meta.readers))
  const set = life.set.bind(life)
  const session = new ChatSession({ ...room, people, rooms, set })
  const decisions = new Decisions({ ...room, notices, people, rooms, host, pin, set })
  const keeper: Keeper = new Keeper(
    { profile, dial, host, pin, primitives, trust, clock, random },
    {
      connecting: () => set({ phase: 'connecting' }),
      handshake: () => life.begin(),
      step: (step) => life.step(step),
      session: (connection, transcript) => {
        life.shaken(connection, transcript)
        notices.dismiss(NOT_ACCEPTED)
        return session.run(connection)
      },
      ended: (end, retryAt) => life.ended(end, retryAt),
      keyChanged: (seen) => decisions.keyChanged(seen, keeper),
      event: (event) => session.event(event),
      cast: (entry) => rooms.get(hex(entry.room))?.cast(entry),
    },
  )
  return { trust, notices, drafts, people, rooms, keeper, session, decisions }
}

interface RoomParts {
  readonly life: ChatLife
  readonly trust: Trust
  readonly keyring: Keyring
  readonly clock: Clock
  raise(notice: Notice): void
  dismiss(id: string): void
  changed(): void
  log(error: unknown): void
}

function roomDeps({ profile, primitives }: ChatOptions, parts: RoomParts): RoomDeps {
  const { life, trust, keyring, clock, raise, dismiss, changed, log } = parts
  const { user, device, identity, storage, vault } = profile
  return {
    ...{ storage, vault, primitives, clock, life, trust, raise, dismiss, changed },
    me: { user, device, fingerprint: identity.fingerprint },
    loaded: () => keyring.loaded(hostKey(trust)),
    keyPackages: () => keyring.packages(),
    verify: async (binding) => {
      if (binding.user === user) {
        if (equal(binding.fingerprint, identity.fingerprint)) return
        throw new OldSelf()
      }
      // Who is new is pinned when the group that they are in becomes ours.
      if (trust.person(binding.user) === undefined) return
      for (const pin of await trust.see([binding])) raise(personChanged(pin))
      if (trust.word(binding.user) === 'changed')
        throw new SottoError('bad_member', `The key of ${binding.user} has changed.`)
    },
    fault: log,
  }
}
