/**
 * Everything of the protocol that needs the MLS library, behind one door: chat imports this file
 * dynamically, so that the page loads it after the first paint.
 */
export { Expired } from '../protocol/mls_credential.ts'
export { cryptoInUse, mlsSuite } from '../protocol/mls_provider.ts'
export {
  type Addition,
  change,
  createRoom,
  joinExternal,
  type Pending,
  problemWith,
  seal,
} from '../protocol/room.ts'
export { OtherGroup } from '../protocol/room_group_info.ts'
export {
  type DeviceKeys,
  decodeDeviceKeys,
  encodeDeviceKeys,
  type KeyPackagePair,
  makeDeviceKeys,
  makeKeyPackages,
  renewalDue,
} from '../protocol/room_keys.ts'
export { type Opened, open } from '../protocol/room_open.ts'
export {
  decodeRoom,
  encodeRoom,
  epoch,
  isRemoved,
  members,
  type RoomState,
  wasIn,
} from '../protocol/room_state.ts'
export { joinWelcome } from '../protocol/room_welcome.ts'
