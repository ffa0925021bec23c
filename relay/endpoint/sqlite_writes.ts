import type { Records } from './sqlite_records.ts'
import { append, prune } from './write_log.ts'
import {
  addKeyPackages,
  changeKey,
  createAccount,
  revokeDevice,
  setPassword,
  takeKeyPackage,
  touchDevice,
} from './write_people.ts'
import { createGroup, createRoom, dropGroupDevice, forgetGroups, leaveRoom } from './write_rooms.ts'
import { deleteWelcome } from './write_welcomes.ts'

/**
 * The store's decisions by name, each made within the transaction that is open. One either changes
 * everything that it should or throws SottoError `refused`, `stale_epoch` or (on a damaged record)
 * `unavailable` before it has changed anything. Any other error means that the transaction has to
 * be rolled back.
 */
export const WRITES = {
  createAccount,
  changeKey,
  setPassword,
  touchDevice,
  revokeDevice,
  createRoom,
  leaveRoom,
  createGroup,
  dropGroupDevice,
  forgetGroups,
  append,
  addKeyPackages,
  takeKeyPackage,
  deleteWelcome,
  prune,
}

export type WriteName = keyof typeof WRITES

type Rest<T> = T extends (records: Records, ...rest: infer R) => unknown ? R : never
export type WriteArguments<N extends WriteName> = Rest<(typeof WRITES)[N]>
export type WriteResult<N extends WriteName> = ReturnType<(typeof WRITES)[N]>

/** A write on its way to the thread that does it. */
export type Write = { [N in WriteName]: { name: N; args: WriteArguments<N> } }[WriteName]

export function applyWrite(records: Records, write: Write): WriteResult<WriteName> {
  // Name and arguments come from one Write, so they belong together.
  const apply = WRITES[write.name] as (
    records: Records,
    ...args: unknown[]
  ) => WriteResult<WriteName>
  return apply(records, ...write.args)
}
