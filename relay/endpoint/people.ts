import { packed, unpacked } from '../../web/protocol/bytes.ts'
import type { PersonInfo } from '../../web/protocol/messages.ts'
import type { Directory } from './directory.ts'
import type { Account } from './store.ts'

/** What others may know of an account. */
interface Known {
  readonly user: string
  /** {@link packed}. */
  readonly spki: string
}

/** Everyone with an account, in memory: about half a kilobyte each. */
export class People {
  readonly #known = new Map<string, Known>()
  readonly #directory: Directory

  constructor(accounts: readonly Account[], directory: Directory) {
    this.#directory = directory
    for (const account of accounts) if (!account.disabled) this.add(account)
  }

  add({ skeleton, user, spki }: Account): void {
    this.#known.set(skeleton, { user, spki: packed(spki) })
  }

  get size(): number {
    return this.#known.size
  }

  info(skeleton: string): PersonInfo | undefined {
    const known = this.#known.get(skeleton)
    if (known === undefined) return undefined
    return {
      user: known.user,
      spki: unpacked(known.spki),
      online: this.#directory.online(skeleton),
    }
  }

  /** `first` if they are known, then who is online, then the rest: at most `most`. */
  list(first: Iterable<string>, most: number): PersonInfo[] {
    const chosen = new Set<string>()
    const add = (skeletons: Iterable<string>, fits: (skeleton: string) => boolean): void => {
      for (const skeleton of skeletons) {
        if (chosen.size >= most) return
        if (fits(skeleton)) chosen.add(skeleton)
      }
    }
    add(first, (skeleton) => this.#known.has(skeleton))
    add(this.#known.keys(), (skeleton) => this.#directory.online(skeleton))
    add(this.#known.keys(), () => true)
    return [...chosen].flatMap((skeleton) => this.info(skeleton) ?? [])
  }
}
