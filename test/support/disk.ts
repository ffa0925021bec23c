import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Random } from './random.ts'

const source = fileURLToPath(new URL('./disk.c', import.meta.url))

/** The library that disk.c becomes, built once. Throws with what to install when it can't be. */
function library(): string {
  const compiler = ['/usr/bin/cc', '/usr/bin/gcc'].find(existsSync)
  if (process.platform !== 'linux') throw new Error('The failing disk needs Linux.')
  if (compiler === undefined)
    throw new Error('The failing disk needs a C compiler (Debian: apt-get install gcc libc6-dev).')
  const version = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16)
  const built = join(tmpdir(), `sotto-disk-${version}-${process.pid}.so`)
  if (!existsSync(built)) {
    execFileSync(compiler, ['-shared', '-fPIC', '-O1', '-o', built, source, '-ldl', '-pthread'])
    process.once('exit', () => rmSync(built, { force: true }))
  }
  return built
}

const CONTROL = { write: 0, sync: 2, open: 4 } as const
const DATABASE_ALONE = 5

/** A disk under the files of one directory, for processes that are started with `env`. */
export class Disk {
  readonly env: Record<string, string>
  readonly log: string
  readonly #control: number
  readonly #values = new Int32Array(6)

  /** Keeps its own files (list and control) in `work`, outside the directory that is watched. */
  constructor(dir: string, work: string) {
    this.log = join(work, 'disk.log')
    const control = join(work, 'disk.control')
    writeFileSync(control, this.#values)
    // Written in place: the process maps it, and a shorter file would end it.
    this.#control = openSync(control, 'r+')
    this.env = {
      LD_PRELOAD: library(),
      SOTTO_DISK_DIR: dir,
      SOTTO_DISK_LOG: this.log,
      SOTTO_DISK_CONTROL: control,
    }
  }

  /**
   * From now on, after `skip` more that succeed, these fail with this errno: syncs of all files,
   * or of the database alone, which only a checkpoint syncs.
   */
  fail(what: keyof typeof CONTROL | 'checkpoint', errno: number, skip = 0): void {
    if (what === 'checkpoint') {
      this.#values[DATABASE_ALONE] = 1
      this.fail('sync', errno, skip)
      return
    }
    this.#values[CONTROL[what]] = errno
    if (what !== 'open') this.#values[CONTROL[what] + 1] = skip
    this.#set()
  }

  heal(): void {
    this.#values.fill(0)
    this.#set()
  }

  #set(): void {
    writeSync(this.#control, this.#values, 0, undefined, 0)
  }
}

interface Operation {
  readonly kind: string
  readonly name: string
  readonly offset: number
  readonly data: Buffer
}

/** The list of what was done, in order; an incomplete last record was not done. */
export function readDiskLog(path: string): Operation[] {
  const log = readFileSync(path)
  const operations: Operation[] = []
  let at = 0
  while (at + 3 <= log.length) {
    const nameEnd = at + 3 + log.readUInt16LE(at + 1)
    if (nameEnd + 12 > log.length) break
    const end = nameEnd + 12 + log.readUInt32LE(nameEnd + 8)
    if (end > log.length) break
    operations.push({
      kind: String.fromCharCode(log[at] ?? 0),
      name: log.toString('utf8', at + 3, nameEnd),
      offset: Number(log.readBigUInt64LE(nameEnd)),
      data: log.subarray(nameEnd + 12, end),
    })
    at = end
  }
  return operations
}

const SECTOR = 512

/** A file as the disk has it, and what was done to it since its last sync. */
class DiskFile {
  #synced: Buffer = Buffer.alloc(0)
  #length = 0
  #pending: Operation[] = []
  /** Whether its name is on the disk for certain. */
  named = false

  do(operation: Operation): void {
    this.#pending.push(operation)
  }

  sync(): void {
    for (const { kind, offset, data } of this.#pending) {
      if (kind === 't') this.#cut(offset)
      else this.#put(offset, data)
    }
    this.#pending = []
  }

  /** A sync failed: what it was for is no longer tried, and may or may not have got there. */
  lose(random: Random): void {
    this.#keepSome(random)
    this.#pending = []
  }

  /** What may be there after a power loss now. */
  afterPowerLoss(random: Random): Buffer {
    const copy = new DiskFile()
    copy.#synced = Buffer.from(this.#synced.subarray(0, this.#length))
    copy.#length = this.#length
    copy.#pending = this.#pending
    copy.#keepSome(random)
    return copy.#synced.subarray(0, copy.#length)
  }

  /** Each sector of each write gets there or not, with a chance drawn anew: none, few, most, all. */
  #keepSome(random: Random): void {
    const chance = random.pick([0, 0, 1, 5, 9, 10])
    for (const { kind, offset, data } of this.#pending) {
      if (kind === 't') {
        if (random.below(10) < chance) this.#cut(offset)
        continue
      }
      for (let at = 0; at < data.length; ) {
        const end = Math.min(data.length, at + SECTOR - ((offset + at) % SECTOR))
        if (random.below(10) < chance) this.#put(offset + at, data.subarray(at, end))
        at = end
      }
    }
  }

  #put(offset: number, data: Uint8Array): void {
    const end = offset + data.length
    if (end > this.#synced.length) {
      const larger = Buffer.alloc(Math.max(end, this.#synced.length * 2))
      this.#synced.copy(larger)
      this.#synced = larger
    }
    this.#synced.set(data, offset)
    this.#length = Math.max(this.#length, end)
  }

  #cut(length: number): void {
    if (length < this.#length) this.#synced.fill(0, length, this.#length)
    else this.#put(length, Buffer.alloc(0))
    this.#length = length
  }
}

/** Shared memory and locks live and die with the process. */
const NOT_ON_DISK = /-shm$|^sotto\.lock/

/** The disk along its list of operations, and what a power loss at any moment may leave of it. */
export class PowerLoss {
  readonly #random: Random
  readonly #files = new Map<string, DiskFile>()

  constructor(random: Random) {
    this.#random = random
  }

  do(operation: Operation): void {
    const { kind, name } = operation
    if (NOT_ON_DISK.test(name)) return
    if (kind === 'd') {
      for (const file of this.#files.values()) file.named = true
      return
    }
    if (kind === 'u') {
      this.#files.delete(name)
      return
    }
    let file = this.#files.get(name)
    if (file === undefined) {
      file = new DiskFile()
      this.#files.set(name, file)
    }
    if (kind === 's') file.sync()
    else if (kind === 'f') file.lose(this.#random)
    else if (kind === 'w' || kind === 't') file.do(operation)
  }

  /** Makes `dir` hold what may be left. A name that no sync of the directory covers may be gone. */
  leave(dir: string): void {
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir, { recursive: true })
    for (const [name, file] of this.#files) {
      if (!file.named && this.#random.below(2) === 0) continue
      writeFileSync(join(dir, name), file.afterPowerLoss(this.#random))
    }
  }
}
