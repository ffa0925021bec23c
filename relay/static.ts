import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import type { Header } from './static_headers.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
}
/** The build puts a hash of the content into these names, so they never change. */
const HASHED = /^\/assets\/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

type Encoding = 'br' | 'gzip' | 'identity'

interface Variant {
  readonly body: Buffer
  readonly headers: readonly Header[]
  readonly etag: string
}

/** One file of the page, in every encoding that the build left beside it. */
export type PageFile = ReadonlyMap<Encoding, Variant>

/** URL path → file. Held in memory: a page is a few hundred kilobytes, and no path leaves it. */
export type Page = ReadonlyMap<string, PageFile>

/** Reads a built page once. Throws the file system's error when the directory can't be read. */
export function loadPage(directory: string): Page {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
  const present = new Set(names)
  const page = new Map<string, PageFile>()
  for (const name of names) {
    const original = name.replace(/\.(?:br|gz)$/, '')
    if (original !== name && present.has(original)) continue
    const path = `/${name.split(sep).join('/')}`
    page.set(path === '/index.html' ? '/' : path, readVariants(directory, name, path, present))
  }
  return page
}

function readVariants(
  directory: string,
  name: string,
  path: string,
  present: ReadonlySet<string>,
): PageFile {
  const file = new Map<Encoding, Variant>()
  const read = (encoding: Encoding, suffix: string) => {
    const body = readFileSync(join(directory, name + suffix))
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    file.set(encoding, { body, etag, headers: headersOf(path, encoding, etag) })
  }
  read('identity', '')
  for (const [encoding, suffix] of ENCODINGS) if (present.has(name + suffix)) read(encoding, suffix)
  return file
}

function headersOf(path: string, encoding: Encoding, etag: string): Header[] {
  const cache = HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache'
  return [
    ['Content-Type', TYPES[extname(path)] ?? 'application/octet-stream'],
    ['Cache-Control', cache],
    ['ETag', etag],
    ['Vary', 'Accept-Encoding'],
    ...(encoding === 'identity' ? [] : [['Content-Encoding', encoding] as const]),
  ]
}

/** The smallest variant that the browser takes. */
export function chooseVariant(file: PageFile, acceptEncoding: string): Variant | undefined {
  const taken = new Set(
    acceptEncoding
      .toLowerCase()
      .split(',')
      .map((part) => part.trim().split(/\s*;\s*/))
      .filter(([, quality]) => quality === undefined || !/^q=0(?:\.0*)?$/.test(quality))
      .map(([name]) => name),
  )
  for (const [encoding] of ENCODINGS) {
    const variant = taken.has(encoding) ? file.get(encoding) : undefined
    if (variant) return variant
  }
  return file.get('identity')
}
