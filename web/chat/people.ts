import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import type { PersonInfo } from '../protocol/messages.ts'
import type { Primitives } from '../protocol/primitives.ts'
import type { PersonView, RoomId } from './model.ts'
import type { PersonPin, Trust } from './trust.ts'

/** The order in which people look names up: "person2" is before "person10", "alice" before "Bob". */
export const byName = new Intl.Collator('en', { numeric: true })

interface Person {
  readonly user: string
  readonly fingerprint: Bytes
  readonly online: boolean
}

/** What a piece of news about people means. */
export interface News {
  /** Who has come online; `isNew` when nobody of that name was known before. */
  readonly came: readonly { readonly user: string; readonly isNew: boolean }[]
  readonly went: readonly string[]
  /** Names whose key is not the pinned one. */
  readonly alarms: readonly PersonPin[]
  /** New names of keys that are known by another name. */
  readonly renamed: readonly { readonly user: string; readonly before: string }[]
}

/** Everyone of whom the endpoint has told, each pinned at first sight. */
export class People {
  readonly #primitives: Primitives
  readonly #trust: Trust
  readonly #me: string
  #people = new Map<string, Person>()
  /** News are taken in one after the other. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(primitives: Primitives, trust: Trust, me: string) {
    this.#primitives = primitives
    this.#trust = trust
    this.#me = me
  }

  /** The whole list, as a new session gives it: nobody comes or goes by it. */
  replace(list: readonly PersonInfo[]): Promise<News> {
    return this.#take(list, new Map())
  }

  /** What changed since. */
  update(list: readonly PersonInfo[]): Promise<News> {
    return this.#take(list, undefined)
  }

  /** Whether the endpoint shows this very key under the name. */
  shows(user: string, fingerprint: Bytes): boolean {
    const shown = this.#people.get(user)
    return shown !== undefined && equal(shown.fingerprint, fingerprint)
  }

  get online(): Set<string> {
    const all = [...this.#people.values()]
    return new Set(all.filter(({ online }) => online).map(({ user }) => user))
  }

  /** Nobody's presence is known any more. */
  offline(): void {
    for (const person of this.#people.values())
      this.#people.set(person.user, { ...person, online: false })
  }

  /** Online first, then by name. */
  views(roomWith: (user: string) => RoomId | undefined): PersonView[] {
    return [...this.#people.values()]
      .sort((a, b) => Number(b.online) - Number(a.online) || byName.compare(a.user, b.user))
      .map(({ user, fingerprint, online }) => ({
        user,
        fingerprint: hex(fingerprint),
        online,
        me: user === this.#me,
        trust: this.#trust.word(user),
        room: roomWith(user),
      }))
  }

  #take(list: readonly PersonInfo[], start: Map<string, Person> | undefined): Promise<News> {
    const done = this.#tail.then(async () => {
      const news = await Promise.all(
        list.map(async ({ user, spki, online }) => {
          return { user, online, fingerprint: await this.#primitives.sha256(spki) }
        }),
      )
      const strangers = news.filter(({ user }) => this.#trust.person(user) === undefined)
      const alarms = await this.#trust.see(news)
      const renamed = this.#trust.renamed(strangers.map(({ user }) => user))
      const people = start ?? new Map(this.#people)
      const came: News['came'][number][] = []
      const went: string[] = []
      for (const person of news) {
        const { user, online } = person
        const before = people.get(user)
        if (user !== this.#me && (before?.online ?? false) !== online)
          if (online) came.push({ user, isNew: before === undefined })
          else went.push(user)
        people.set(user, person)
      }
      this.#people = people
      if (start === undefined) return { came, went, alarms, renamed }
      // A new session asks again about every key that nobody has decided on.
      const pins = news.flatMap(({ user }) => this.#trust.person(user) ?? [])
      const open = pins.filter(({ changed }) => changed !== null)
      return { came: [], went: [], alarms: open, renamed }
    })
    this.#tail = done.catch(() => undefined)
    return done
  }
}
