/**
 * The shapes of what was decoded: a shape says where a value is wrong, and its type follows from
 * it. Maps have the stated fields and no others. The marks let the page do without what only the
 * endpoint asks for: requests.
 */
import type { Bytes } from './bytes.ts'

/** The path of the first wrong field, each step with a dot after it, or nothing when all is well. */
export interface Shape<T> {
  (value: unknown): string | undefined
  /** Never there: carries the type. */
  readonly type?: T
}
export type Of<S> = S extends Shape<infer T> ? T : never

type Fields = Readonly<Record<string, Shape<unknown>>>
type May<F> = { [K in keyof F]: undefined extends Of<F[K]> ? K : never }[keyof F]
type Flat<T> = { [K in keyof T]: T[K] }
type MapOf<F> = Flat<{ [K in Exclude<keyof F, May<F>>]: Of<F[K]> } & { [K in May<F>]?: Of<F[K]> }>
interface MapShape<F> extends Shape<MapOf<F>> {
  readonly fields: F
}

/* @__NO_SIDE_EFFECTS__ */
function where<T>(isRight: (value: unknown) => boolean): Shape<T> {
  return (value) => (isRight(value) ? undefined : '')
}

export const boolean = where<boolean>((x) => typeof x === 'boolean')
/** A whole number that a JavaScript number holds exactly. */
export const count = upTo(Number.MAX_SAFE_INTEGER)

/* @__NO_SIDE_EFFECTS__ */
export function upTo(most: number): Shape<number> {
  return where((x) => Number.isSafeInteger(x) && (x as number) >= 0 && (x as number) <= most)
}

/* @__NO_SIDE_EFFECTS__ */
export function bytes(length: number): Shape<Bytes> {
  return where((x) => x instanceof Uint8Array && x.length === length)
}

/* @__NO_SIDE_EFFECTS__ */
export function blob(most: number): Shape<Bytes> {
  return where((x) => x instanceof Uint8Array && x.length <= most)
}

/** `most` and `least` are in UTF-16 code units. */
/* @__NO_SIDE_EFFECTS__ */
export function text(most: number, least = 0): Shape<string> {
  return where((x) => typeof x === 'string' && x.length >= least && x.length <= most)
}

/* @__NO_SIDE_EFFECTS__ */
export function oneOf<const T extends string>(...all: readonly T[]): Shape<T> {
  return where((x) => all.includes(x as T))
}

/* @__NO_SIDE_EFFECTS__ */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value) => (value === null ? undefined : shape(value))
}

/** A field that may be missing. */
/* @__NO_SIDE_EFFECTS__ */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value) => (value === undefined ? undefined : shape(value))
}

/* @__NO_SIDE_EFFECTS__ */
export function list<T>(of: Shape<T>, most: number): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > most) return ''
    return first(value.entries(), (item) => of(item))
  }
}

/** A map that may have other fields as well. */
/* @__NO_SIDE_EFFECTS__ */
export function known<F extends Fields>(fields: F): Shape<MapOf<F>> {
  return (value) => {
    if (!isMap(value)) return ''
    return first(Object.entries(fields), (shape, key) => shape(value[key]))
  }
}

/* @__NO_SIDE_EFFECTS__ */
export function map<F extends Fields>(fields: F): MapShape<F> {
  const isKnown = known(fields)
  const shape = (value: unknown) =>
    isKnown(value) ??
    first(Object.entries(value as object), (_, key) =>
      Object.hasOwn(fields, key) ? undefined : '',
    )
  return Object.assign(shape, { fields })
}

/** One of several maps: the one that takes the value's field `key`. */
/* @__NO_SIDE_EFFECTS__ */
export function variant<M extends readonly MapShape<Fields>[]>(
  key: string,
  ...maps: M
): Shape<Of<M[number]>> {
  return (value) => {
    const map = maps.find(({ fields }) => isMap(value) && fields[key]?.(value[key]) === undefined)
    return map === undefined ? `${key}.` : map(value)
  }
}

/** What CBOR maps are decoded to. */
function isMap(value: unknown): value is Record<string, unknown> {
  return value instanceof Object && Object.getPrototypeOf(value) === Object.prototype
}

function first<K extends string | number, T>(
  entries: Iterable<readonly [K, T]>,
  wrong: (item: T, key: K) => string | undefined,
): string | undefined {
  for (const [key, item] of entries) {
    const at = wrong(item, key)
    if (at !== undefined) return `${key}.${at}`
  }
  return undefined
}
