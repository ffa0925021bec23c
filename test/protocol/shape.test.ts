import {
  blob,
  boolean,
  bytes,
  count,
  known,
  list,
  map,
  nullable,
  oneOf,
  optional,
  type Shape,
  text,
  upTo,
  variant,
} from '../../web/protocol/shape.ts'
import { assert, describe, it } from '../support/suite.ts'

const four = new Uint8Array(4)
const person = map({ user: text(5, 1), age: optional(upTo(99)) })
const either = variant(
  'op',
  map({ op: oneOf('find'), who: person }),
  map({ op: oneOf('count'), all: list(person, 2) }),
)

const TAKEN: Record<string, readonly [Shape<unknown>, ...(readonly unknown[])]> = {
  'truth values': [boolean, true, false],
  'whole numbers': [count, 0, Number.MAX_SAFE_INTEGER],
  'numbers up to a bound': [upTo(9), 0, 9],
  'bytes of one length': [bytes(4), four],
  'bytes up to a length': [blob(4), four, new Uint8Array()],
  'text of a length between two': [text(3, 1), 'a', 'abc'],
  'one of several words': [oneOf('a', 'b'), 'a', 'b'],
  'null where it may be': [nullable(count), null, 1],
  'lists up to a length': [list(count, 2), [], [1, 2]],
  'maps, with and without what is optional': [person, { user: 'a' }, { user: 'a', age: 1 }],
  'maps of which only a part is known': [known({ id: count }), { id: 1, more: 'x' }],
  'one of several maps': [
    either,
    { op: 'find', who: { user: 'a' } },
    { op: 'count', all: [{ user: 'a' }] },
  ],
}

/** What is refused, by the path of the wrong field. */
const REFUSED: readonly (readonly [shape: Shape<unknown>, value: unknown, path: string])[] = [
  [boolean, 1, ''],
  [count, -1, ''],
  [count, 0.5, ''],
  [count, 2 ** 53, ''],
  [count, '1', ''],
  [count, undefined, ''],
  [upTo(9), 10, ''],
  [bytes(4), new Uint8Array(5), ''],
  [bytes(4), [0, 0, 0, 0], ''],
  [blob(4), new Uint8Array(5), ''],
  [blob(4), 'text', ''],
  [text(3, 1), '', ''],
  [text(3), 'abcd', ''],
  [text(3), four, ''],
  [oneOf('a', 'b'), 'c', ''],
  [nullable(count), undefined, ''],
  [list(count, 2), [1, 2, 3], ''],
  [list(count, 2), { 0: 1 }, ''],
  [list(count, 2), [1, 'x'], '1.'],
  [person, null, ''],
  [person, [], ''],
  [person, four, ''],
  [person, {}, 'user.'],
  [person, { user: 'a', age: null }, 'age.'],
  [person, { user: 'a', more: 1 }, 'more.'],
  [person, { user: 'a', constructor: 1 }, 'constructor.'],
  [person, JSON.parse('{"user":"a","__proto__":{"age":1}}'), '__proto__.'],
  [person, Object.create({ user: 'a' }), ''],
  [known({ id: count }), { more: 1 }, 'id.'],
  [either, { op: 'other' }, 'op.'],
  [either, {}, 'op.'],
  [either, 'find', 'op.'],
  [either, { op: 'find', who: { user: 'too long' } }, 'who.user.'],
  [either, { op: 'count', all: [{ user: 'a' }, { user: 1 }] }, 'all.1.user.'],
]

describe('a shape', () => {
  for (const [what, [shape, ...values]] of Object.entries(TAKEN))
    it(`takes ${what}`, () => {
      for (const value of values) assert.isUndefined(shape(value))
    })

  for (const [i, [shape, value, path]] of REFUSED.entries())
    it(`names the field that is wrong: ${path || 'the value itself'} (${i + 1})`, () => {
      assert.equal(shape(value), path)
    })
})
