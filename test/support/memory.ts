import { readFileSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'

/** Resident memory of a process, in bytes. Linux only. */
export function residentMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
}

const CHUNK = 8 * 1024 * 1024

/**
 * The needles that stand anywhere in the memory of a process (text as UTF-8, Latin-1 or UTF-16, for
 * V8 keeps strings in either), read through /proc/PID/mem. Linux only; needs to own the process.
 */
export async function foundInMemory<Needle extends string | Buffer>(
  pid: number,
  needles: readonly Needle[],
): Promise<Needle[]> {
  const patterns = needles.flatMap((needle) =>
    spellings(needle).map((bytes) => ({ needle, bytes })),
  )
  const found = new Set<Needle>()
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8')
  const memory = await open(`/proc/${pid}/mem`, 'r')
  try {
    for (const line of maps.split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line)
      if (match === null || /\[(vvar|vsyscall)/.test(line)) continue
      const end = Number.parseInt(match[2] ?? '', 16)
      let at = Number.parseInt(match[1] ?? '', 16)
      // Chunks overlap, so that a needle across their border is found.
      const overlap = Math.max(...patterns.map(({ bytes }) => bytes.length))
      while (at < end) {
        const buffer = Buffer.alloc(Math.min(CHUNK, end - at))
        const read = await memory.read(buffer, 0, buffer.length, at).catch(() => undefined)
        if (read === undefined || read.bytesRead === 0) break
        for (const { needle, bytes } of patterns)
          if (buffer.subarray(0, read.bytesRead).includes(bytes)) found.add(needle)
        at += Math.max(read.bytesRead - overlap, 1)
        if (read.bytesRead < buffer.length || at + overlap >= end) break
      }
    }
  } finally {
    await memory.close()
  }
  return [...found]
}

function spellings(needle: string | Buffer): Buffer[] {
  if (typeof needle !== 'string') return [needle]
  return [Buffer.from(needle, 'utf8'), Buffer.from(needle, 'utf16le')]
}
