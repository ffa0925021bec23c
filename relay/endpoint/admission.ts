/** Who may enter: the directory check of the handshake, then registration and passwords. */
import { type Bytes, equal, hex } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type { Admission as Answer, Peer as Claim } from '../../web/protocol/handshake_server.ts'
import { normaliseName, skeleton } from '../../web/protocol/names.ts'
import { encodeParams, type Limits, type Status } from '../../web/protocol/params.ts'
import type { Primitives } from '../../web/protocol/primitives.ts'
import type { TicketStore } from '../../web/protocol/tickets.ts'
import type { LoginLimits } from './login_limits.ts'
import type { Passwords } from './passwords.ts'
import type { RequestOf } from './peer.ts'
import type { People } from './people.ts'
import { Refused, slowDown } from './refusal.ts'
import type { Account, Device, GroupDevice, PasswordHash, Store } from './store.ts'
import type { TokenBuckets } from './token_bucket.ts'

const SESSION_ID_LENGTH = 16
/** Devices that one account can have. */
export const MOST_DEVICES = 16
/** Accounts in all: each takes half a kilobyte of memory. */
export const MOST_ACCOUNTS = 100_000
const NOBODY = ''

export interface AdmissionNeeds {
  readonly store: Store
  readonly people: People
  readonly primitives: Primitives
  readonly tickets: TicketStore
  readonly passwords: Passwords
  readonly limits: Limits
  /** The key that signs casts, 32 bytes. */
  readonly logPub: Bytes
  /** Scrypt of the server password; undefined when everyone may register. */
  readonly serverPassword: PasswordHash | undefined
  readonly logins: LoginLimits
  readonly registrations: TokenBuckets
}

/** A session that has passed the handshake and asks to be let in. */
export interface Applicant {
  readonly user: string
  readonly skeleton: string
  readonly spki: Bytes
  readonly device: Bytes
  readonly origin: string
  /** Of the ticket that the handshake left behind. */
  readonly ticket: Bytes
}

/** Whose password it is, and where the tries at it come from. */
export type Asker = Pick<Applicant, 'user' | 'skeleton' | 'origin'>

type Given = Pick<RequestOf<'login'>, 'serverPassword' | 'accountPassword'>

export class Admission {
  readonly #needs: AdmissionNeeds

  constructor(needs: AdmissionNeeds) {
    this.#needs = needs
  }

  /**
   * The directory check. Every look-up is made whatever the one before gave, so that an unknown
   * key, a disabled account and a revoked device cost the same; and none reads the devices one by
   * one, so that their number can't be told by the time it takes.
   */
  async check(claim: Claim, ticketed: string | undefined): Promise<Answer | 'refused'> {
    const { store, people } = this.#needs
    const name = nameOf(claim.user)
    const account = store.account(name ?? NOBODY)
    const known = store.device({ skeleton: name ?? NOBODY, device: claim.device })
    const count = store.deviceCount(name ?? NOBODY)
    const mine = account === undefined || equal(account.spki, claim.spki)
    const refused = name === undefined || !mine || account?.disabled || known?.revoked
    const full = account === undefined && people.size >= MOST_ACCOUNTS
    const status = statusOf(account, known, count, ticketed)
    const params = encodeParams({
      status,
      sessionId: this.#needs.primitives.random(SESSION_ID_LENGTH),
      account: account?.user ?? claim.user,
      logPub: this.#needs.logPub,
      limits: this.#needs.limits,
    })
    if (refused || full) return 'refused'
    return { params, admission: admissionOf(account, status) }
  }

  /** Makes the account: the name belongs to this key from now on. */
  async register(applicant: Applicant, given: Given): Promise<void> {
    const { store, people, registrations, serverPassword } = this.#needs
    const wait = registrations.take(applicant.origin)
    if (wait > 0) throw slowDown(wait * 1000)
    if (serverPassword !== undefined)
      await this.#try(applicant, () => this.#verify(given.serverPassword, serverPassword))
    const password = given.accountPassword
    const account: Account = {
      skeleton: applicant.skeleton,
      user: applicant.user,
      spki: applicant.spki,
      password: password === undefined ? null : await this.#needs.passwords.hash(password),
      disabled: false,
      createdAt: store.now(),
    }
    try {
      await store.createAccount(account)
    } catch (error) {
      if (!(error instanceof SottoError && error.code === 'refused')) throw error
      throw new Refused('denied', 'Somebody else has just taken this name. Choose another.')
    }
    people.add(account)
    this.#admitted(applicant, account)
  }

  async login(applicant: Applicant, given: Given): Promise<void> {
    const { store } = this.#needs
    const account = store.account(applicant.skeleton)
    if (account === undefined) throw new Refused('denied', UNKNOWN_NAME)
    const { password } = account
    if (password !== null)
      await this.#try(applicant, () => this.#verify(given.accountPassword, password))
    const count = store.deviceCount(applicant.skeleton)
    if (this.known(applicant) === undefined && count >= MOST_DEVICES)
      throw new Refused('denied', TOO_MANY_DEVICES)
    this.#admitted(applicant, account)
  }

  /**
   * A changed password is asked for at the next connection of every device: with it the word that
   * tickets remember is another one. False when there was none and there is to be none.
   */
  async setPassword(asker: Asker, request: RequestOf<'set_password'>): Promise<boolean> {
    const { store } = this.#needs
    const present = store.account(asker.skeleton)?.password ?? null
    if (present === null && request.next === null) return false
    if (present !== null) await this.#try(asker, () => this.#verify(request.current, present))
    const next = request.next === null ? null : await this.#needs.passwords.hash(request.next)
    await store.setPassword(asker.skeleton, next)
    return true
  }

  /** The device was here now. Must have come through before anything else names the device. */
  async touch(applicant: Pick<Applicant, 'skeleton' | 'device'>): Promise<void> {
    const { store } = this.#needs
    await store.touchDevice(applicant.skeleton, applicant.device, store.now())
  }

  /** What the store knows of this device. */
  known(one: GroupDevice): Device | undefined {
    return this.#needs.store.device(one)
  }

  #admitted({ ticket }: Applicant, account: Account): void {
    this.#needs.tickets.readmit(ticket, admissionOf(account, 'ok'))
  }

  #verify(given: string | undefined, hash: PasswordHash): Promise<boolean> {
    return this.#needs.passwords.verify(given ?? '', hash)
  }

  /** One try at a password. What failed, and whether it was a try at all, is not told apart. */
  async #try({ skeleton: name, origin }: Asker, check: () => Promise<boolean>): Promise<void> {
    const { logins } = this.#needs
    const result = await logins.attempt(name, origin, check)
    if (!result.ok) throw new Refused('denied', WRONG_PASSWORD, result.retryAfter)
  }
}

const WRONG_PASSWORD =
  'The password is wrong, or there were too many tries. Check it, wait a moment, then try again.'
const UNKNOWN_NAME = 'Nobody has this name yet. Register it instead of logging in.'
const TOO_MANY_DEVICES = `This identity is in use on ${MOST_DEVICES} devices already. Remove one of them from another device first.`

/** The skeleton of a name that is in its one form; undefined for any other. */
function nameOf(user: string): string | undefined {
  try {
    return normaliseName(user) === user ? skeleton(user) : undefined
  } catch {
    return undefined
  }
}

function statusOf(
  account: Account | undefined,
  known: Device | undefined,
  count: number,
  ticketed: string | undefined,
): Status {
  if (account === undefined) return 'register'
  if (known === undefined && count >= MOST_DEVICES) return 'not_admitted'
  if (account.password === null) return 'ok'
  return ticketed === admissionOf(account, 'ok') ? 'ok' : 'not_admitted'
}

/**
 * What a ticket remembers: that its session was let in, and under which password. A new password
 * makes it another word, and the ticket stale.
 */
function admissionOf(account: Account | undefined, status: Status): string {
  if (status !== 'ok') return status
  return account?.password ? `password ${hex(account.password.salt)}` : 'open'
}
