import { type Bytes, hex } from '../protocol/bytes.ts'
import type { Keeper } from './keeper.ts'
import type { Keyring } from './keyring.ts'
import type { ConnectionState } from './model.ts'
import { endpointChanged } from './notice_texts.ts'
import type { Notices } from './notices.ts'
import type { People } from './people.ts'
import type { Rooms } from './rooms.ts'
import type { Trust } from './trust.ts'

export interface DecisionNeeds {
  readonly trust: Trust
  readonly notices: Notices
  readonly people: People
  readonly rooms: Rooms
  readonly keyring: Keyring
  /** The endpoint's configured name. */
  readonly host: string
  /** SHA-256 of the endpoint's SPKI as a link gave it. */
  readonly pin: Bytes | undefined
  /** The connection's state for the screen. */
  set(phase: ConnectionState): void
  log(error: unknown): void
}

/** What the person decides about notices, and what follows. No key is trusted but from here. */
export class Decisions {
  readonly #needs: DecisionNeeds
  /** The endpoint's key that was seen in place of the pinned one. */
  #seen: Bytes | undefined
  /** The words of a notice that names the key which the person accepted before it was seen again. */
  #accepted: string | undefined

  constructor(needs: DecisionNeeds) {
    this.#needs = needs
  }

  /** `keeper` connects again where a decision makes that possible. */
  async take(id: string, choice: string, keeper: Keeper): Promise<void> {
    const { notices, rooms } = this.#needs
    const [kind, about = ''] = id.split(/\/(.*)/s)
    if (kind === 'endpoint') {
      if (choice === 'trust') await this.#endpoint(id, keeper)
      return
    }
    if (kind === 'pins') {
      if (choice === 'trust') await this.#anew(id, keeper)
      return
    }
    if (kind === 'key') await this.#person(about, choice === 'trust')
    else if (choice === 'go_on') await rooms.get(about)?.calm()
    notices.dismiss(id)
    rooms.poke()
  }

  /** The endpoint's key is not the pinned one: nothing more happens until the person decides. */
  keyChanged(seen: Bytes, keeper: Keeper): void {
    const { trust, host, pin, notices, set, log } = this.#needs
    this.#seen = seen
    const notice = endpointChanged(host, trust.endpoint?.fingerprint ?? pin, seen)
    notices.raise(notice)
    set({ phase: 'stopped', text: 'The server shows another key than the one you know.' })
    if (this.#accepted === notice.seen) this.take(notice.id, 'trust', keeper).catch(log)
  }

  async #endpoint(id: string, keeper: Keeper): Promise<void> {
    const { trust, keyring, rooms, notices } = this.#needs
    const fingerprint = this.#seen
    if (fingerprint === undefined) {
      // After a restart the changed key has to be seen again: the very one that was accepted.
      this.#accepted = notices.list.find((notice) => notice.id === id)?.seen
    } else {
      // The pin last: whoever dies on the way is asked again, and not told that the new endpoint's
      // history were a forged one of the old.
      keyring.forget()
      await rooms.startOver()
      await trust.pinEndpoint({ fingerprint, verified: true })
    }
    notices.dismiss(id)
    keeper.start()
  }

  async #anew(id: string, keeper: Keeper): Promise<void> {
    const { trust, rooms, notices } = this.#needs
    await trust.startAnew()
    await trust.restore(rooms.all.flatMap(({ store }) => store.meta.readers))
    notices.dismiss(id)
    keeper.start()
  }

  /** `about`: the name and, after a `#`, the key that the notice showed. */
  async #person(about: string, accept: boolean): Promise<void> {
    const { trust, people, rooms, notices } = this.#needs
    const [user = '', shown] = about.split('#')
    const known = trust.person(user)
    // By now it may be a third key, which has a notice of its own.
    if (known?.changed && hex(known.changed) !== shown) return
    // The known key stays in doubt for as long as the endpoint shows the other one.
    if (!accept && known !== undefined && !people.shows(user, known.fingerprint)) return
    await trust.decide(user, accept)
    for (const room of rooms.all) {
      await room.keyDecided()
      notices.dismiss(`member/${room.id}`)
    }
  }
}
