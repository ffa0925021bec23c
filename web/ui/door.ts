/** What the screen asks of the browser around it: who lives here, and how one comes in. */
import type { AppLock } from '../chat/app_lock.ts'
import type { ChatModel } from '../chat/model.ts'

export interface Door {
  /** Why nobody can chat from here, and what to do, for people; empty when they can. */
  unable(): Promise<string>
  /** The people whom this browser keeps, last used first. */
  profiles(): Promise<readonly ProfileView[]>
  /**
   * Comes in without asking when this tab was somebody before it was reloaded or restored.
   * Undefined otherwise: a new tab asks, since it may well be for somebody else.
   */
  resume(): Promise<Entered | Locked | undefined>
  /** What is wrong with a name, for people; empty when nothing is. */
  nameProblem(name: string): string
  /** Reads a private key file and stores nothing. Rejects with SottoError for people. */
  readKey(pem: string, passphrase: string): Promise<KeyFile>
  /** Makes a new person, with a new key unless one is given, and comes in as that person. */
  start(
    name: string,
    key: KeyFile | undefined,
    progress: (step: Making) => void,
  ): Promise<Entered | Locked>
  /**
   * Comes in as a person who is there, or says that the app lock is set when no passphrase is given.
   * Rejects when another tab has them, unless it `takeOver`s; with SottoError `bad_passphrase` when
   * the passphrase is wrong; with `bad_key` when the browser has deleted the person's key: its text
   * says so, and `start` with the name and the key's file brings them back.
   */
  enter(profile: string, takeOver: boolean, passphrase?: string): Promise<Entered | Locked>
  /** Takes a person off the list of whom the browser has deleted everything. */
  forget(profile: string): Promise<void>
}

/** Somebody is there, behind the app lock. */
export interface Locked {
  readonly profile: string
  readonly user: string
  /** This tab is to be somebody else. */
  cancel(): void
}

export interface ProfileView {
  readonly id: string
  readonly user: string
  /** held: another tab is this person now. wiped: the browser has deleted their key. */
  readonly state: 'free' | 'held' | 'wiped'
}

/** A key that somebody new may have: one that has been read from a file, as a rule. */
export interface KeyFile {
  /** Hex, 64 digits. */
  readonly fingerprint: string
}

/** What making a person consists of, in order. */
export const MAKING = ['key', 'store', 'open'] as const
export type Making = (typeof MAKING)[number]

/** A tab that has become somebody. */
export interface Entered {
  readonly model: ChatModel
  readonly keeper: IdentityKeeper
  /** Their own, to be somebody else with. */
  readonly key: KeyFile
  /** The passphrase over everything that is stored here, where there can be one. */
  readonly lock?: Pick<AppLock, 'isSet' | 'set' | 'change' | 'remove'>
  /** Settles when another tab has taken the person over: this one may no longer write. */
  readonly lost: Promise<void>
  /** Says goodbye and lets go, so that the person may come in elsewhere. */
  leave(): Promise<void>
  /** The same, and the page begins anew, at the app lock. */
  lockNow(): Promise<void>
}

/** The identity key of the person who came in. */
export interface IdentityKeeper {
  /** False when the browser may throw the store away to make room. */
  readonly persistent: boolean
  /** SPKI PEM. */
  publicPem(): Promise<string>
  /** PKCS#8 PEM under the passphrase. The person then counts as backed up. */
  exportPem(passphrase: string): Promise<string>
  /** Deletes the person and everything of them from this browser, for good. */
  destroy(): Promise<void>
}
