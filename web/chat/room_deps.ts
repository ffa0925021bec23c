import type { Bytes } from '../protocol/bytes.ts'
import type { Ask, Reply } from '../protocol/messages.ts'
import type { Primitives } from '../protocol/primitives.ts'
import type { Limits } from './absence.ts'
import type { Clock } from './clock.ts'
import type { DeviceKeys, KeyPackagePair } from './mls.ts'
import type { Notice } from './model.ts'
import type { Storage } from './storage.ts'
import type { Trust } from './trust.ts'
import type { Vault } from './vault.ts'

export type Mls = typeof import('./mls.ts')

/** MLS with this device's keys. */
export interface Loaded {
  readonly mls: Mls
  readonly keys: DeviceKeys
  /** SHA-256 of the endpoint's SPKI: rooms and bindings belong to it. */
  readonly host: Bytes
}

/** What a room may use of the conversation around it. */
export interface RoomDeps {
  readonly storage: Storage
  readonly vault: Vault
  readonly primitives: Primitives
  readonly clock: Clock
  readonly trust: Trust
  readonly me: { readonly user: string; readonly device: Bytes; readonly fingerprint: Bytes }
  /** `over`: another device has removed this one. `refused`: the endpoint does not accept it so far. */
  readonly life: { readonly over: boolean; readonly refused: boolean }
  /** Loads MLS and this device's keys; the same ones until a session begins in which they are due. */
  loaded(): Promise<Loaded>
  /**
   * The judgement of a device by our pins, of which none is made here: raises the alarm and throws
   * SottoError `bad_member` on a changed key.
   */
  verify(binding: { readonly user: string; readonly fingerprint: Bytes }): Promise<void>
  /** Key packages of ours that a Welcome may have used, with their storage keys. */
  keyPackages(): Promise<ReadonlyMap<string, KeyPackagePair & { readonly last: boolean }>>
  raise(notice: Notice): void
  /** What the notice with this id says is no longer so. */
  dismiss(id: string): void
  /** A fault on this side: for the person and for whoever debugs it. */
  fault(error: unknown): void
  /** Something on the screen is not what it was. */
  changed(): void
}

/** The session that a room works over, as long as it lasts. */
export interface Link {
  /** Rejects with RefusedError when the endpoint refuses, else when the session ends. */
  ask<A extends Ask>(ask: A): Promise<Reply<A['op']>>
  /** As the endpoint has told them at the beginning of the session. */
  readonly limits: Limits
  /** Names the session: links to the same one are the same link. */
  readonly session: object
}
