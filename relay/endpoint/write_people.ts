import type { Bytes } from '../../web/protocol/bytes.ts'
import { SottoError } from '../../web/protocol/errors.ts'
import type { Records } from './sqlite_records.ts'
import type { Account, GroupDevice, PasswordHash } from './store.ts'
import { dropWelcome } from './write_welcomes.ts'

/** Key packages that are kept of one device. */
const MOST_KEY_PACKAGES = 100

export function createAccount({ tables }: Records, account: Account): void {
  if (tables.one('account', 'WHERE skeleton = ?', account.skeleton) !== undefined)
    throw new SottoError('refused', 'This name is taken. Choose another one.')
  tables.add('account', {
    id: null,
    skeleton: account.skeleton,
    user: account.user,
    spki: account.spki,
    ...passwordColumns(account.password),
    disabled: account.disabled ? 1 : 0,
    created_at: account.createdAt,
  })
}

export function setPassword(
  records: Records,
  skeleton: string,
  password: PasswordHash | null,
): void {
  const account = records.account(skeleton)
  records.tables.update('account', { ...account, ...passwordColumns(password) })
}

function passwordColumns(password: PasswordHash | null) {
  const { salt, hash, cost } = password ?? { salt: null, hash: null, cost: null }
  return { salt, hash, cost }
}

/** The name belongs to another key from now on: no device of the old one is ever taken again. */
export function changeKey(records: Records, skeleton: string, spki: Bytes): void {
  const account = records.account(skeleton)
  records.tables.update('account', { ...account, spki })
  for (const { device } of records.tables.all('device', 'WHERE account = ?', account.id as number))
    revokeDevice(records, skeleton, device as Bytes)
}

export function touchDevice(
  records: Records,
  skeleton: string,
  device: Bytes,
  lastSeen: number,
): void {
  const known = records.findDevice({ skeleton, device })
  if (known === undefined) {
    const account = records.account(skeleton).id as number
    records.tables.add('device', { id: null, account, device, last_seen: lastSeen, revoked: 0 })
    return
  }
  if (known.revoked === 1) throw new SottoError('refused', 'This device was removed.')
  if (lastSeen <= (known.last_seen as number)) return
  known.last_seen = lastSeen
  records.tables.update('device', known)
}

export function revokeDevice(records: Records, skeleton: string, device: Bytes): void {
  const { tables } = records
  const row = records.device({ skeleton, device })
  const id = row.id as number
  row.revoked = 1
  tables.update('device', row)
  tables.delete('key_package', 'WHERE device = ?', id)
  for (const { welcome } of tables.query('SELECT welcome FROM welcome_for WHERE device = ?', id))
    dropWelcome(tables, welcome as number, id)
}

export function addKeyPackages(
  records: Records,
  owner: GroupDevice,
  packages: readonly Bytes[],
  lastResort: Bytes | undefined,
): void {
  const { tables } = records
  const device = records.sender(owner).id as number
  // A last resort comes with a stock of its own: what was there before is of no use any more.
  if (lastResort !== undefined) tables.delete('key_package', 'WHERE device = ?', device)
  for (const one of packages) {
    const same = 'SELECT id FROM key_package WHERE device = ? AND last_resort = 0 AND package = ?'
    if (tables.query(same, device, one).length > 0) continue
    tables.add('key_package', { id: null, device, package: one, last_resort: 0 })
  }
  const beyond = `WHERE id IN (SELECT id FROM key_package WHERE device = ? AND last_resort = 0
    ORDER BY id DESC LIMIT -1 OFFSET ${MOST_KEY_PACKAGES})`
  tables.delete('key_package', beyond, device)
  if (lastResort === undefined) return
  tables.add('key_package', { id: null, device, package: lastResort, last_resort: 1 })
}

export function takeKeyPackage(records: Records, owner: GroupDevice): Bytes | undefined {
  const device = records.findDevice(owner)
  if (device === undefined || device.revoked === 1) return undefined
  const oldestFirst = 'WHERE device = ? ORDER BY last_resort, id LIMIT 1'
  const row = records.tables.one('key_package', oldestFirst, device.id as number)
  if (row === undefined) return undefined
  if (row.last_resort === 0) records.tables.delete('key_package', 'WHERE id = ?', row.id as number)
  return row.package as Bytes
}
