import { type Bytes, equal, hex } from '../protocol/bytes.ts'
import type { Connection } from './connection.ts'
import type { DeviceView } from './model.ts'

/** The person's devices, `own` first, then the ones online, then by when they were seen. */
export async function ownDevices(connection: Connection, own: Bytes): Promise<DeviceView[]> {
  const { devices } = await connection.ask({ op: 'devices' })
  return devices
    .map((one) => ({ ...one, device: hex(one.device), me: equal(one.device, own) }))
    .sort(
      (a, b) =>
        Number(b.me) - Number(a.me) ||
        Number(b.online) - Number(a.online) ||
        b.lastSeen - a.lastSeen,
    )
}
