import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStorage } from '../../relay/peer/file_storage.ts'
import { storageContract } from '../support/storage_contract.ts'
import { after, assert, describe, fails, it } from '../support/suite.ts'

const root = mkdtempSync(join(tmpdir(), 'sotto-storage-'))
after(() => rmSync(root, { recursive: true, force: true }))

let run = 0
storageContract(
  'SQLite in a directory',
  () => fileStorage(join(root, String(run))),
  () => {
    run += 1
  },
)

describe('SQLite in a directory', () => {
  it('is readable by its owner only', () => {
    const directory = join(root, 'mode')
    const storage = fileStorage(directory)
    assert.equal(statSync(directory).mode & 0o777, 0o700)
    assert.equal(statSync(join(directory, 'profile.db')).mode & 0o777, 0o600)
    storage.close()
  })

  it('tells a second opener who holds it', async () => {
    const directory = join(root, 'held')
    const storage = fileStorage(directory)
    const error = await fails('unavailable', () => fileStorage(directory))
    assert.include(error.message, `process ${process.pid}`)
    storage.close()
    fileStorage(directory).close()
  })

  it('keeps what lives in memory only for as long as it is open', async () => {
    const directory = join(root, 'memory')
    const storage = fileStorage(directory)
    const ticket = { id: Uint8Array.of(1), psk: { sign: () => Uint8Array.of(2) } }
    await storage.write(new Map([['ticket', ticket]]))
    assert.equal(await storage.read('ticket'), ticket)
    storage.close()
    const again = fileStorage(directory)
    assert.isUndefined(await again.read('ticket'))
    again.close()
  })
})
