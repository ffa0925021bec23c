import { utf8 } from './bytes.ts'
import { prototypeOf } from './confusables.ts'
import { SottoError } from './errors.ts'

/** Code points of a name, and bytes of its UTF-8 (the handshake's `lp8(user)`). */
export const MAX_NAME_CHARACTERS = 32
export const MAX_NAME_BYTES = 64

/** Letters with their marks, digits; between them single separators. */
const SHAPE = /^(?:\p{L}\p{M}{0,4}|\p{Nd})(?:[ ._'-]?(?:\p{L}\p{M}{0,4}|\p{Nd}))*$/u
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}]/u
/** Marks that strike a letter out, underline it, or pile up. */
const DEFACING = /[\u0332-\u0338]|[\u0300-\u036f]{2}/u
/** Compatibility characters that are ordinary letters of Armenian, Thai and Lao all the same. */
const PLAIN = /[\u0587\u0e33\u0eb3]/gu

/** What a name may be written in: one of these, never two. Digits and separators go with each. */
const WRITING_SYSTEMS = [
  'A-Za-z\\u00c0-\\u01bf\\u01c4-\\u024f\\u1e00-\\u1effɓɔɖɗəɛɣɩʋ\\u0300-\\u036f',
  '\\u0370-\\u03e1\\u03f0-\\u03ff\\u1f00-\\u1fff\\u0300-\\u036f',
  '\\u0400-\\u052f\\u0300-\\u036f',
  '\\u0531-\\u0587',
  '\\p{scx=Han}\\p{scx=Hiragana}\\p{scx=Katakana}',
  '\\p{scx=Han}\\p{scx=Bopomofo}',
  '가-힣\\p{scx=Han}',
  ...[
    ...['Arabic', 'Bengali', 'Devanagari', 'Ethiopic', 'Georgian', 'Gujarati', 'Gurmukhi'],
    ...['Hebrew', 'Kannada', 'Khmer', 'Lao', 'Malayalam', 'Myanmar', 'Oriya', 'Sinhala'],
    ...['Tamil', 'Telugu', 'Thaana', 'Thai', 'Tibetan'],
  ].map((script) => `\\p{scx=${script}}`),
].map((letters) => new RegExp(`^[${letters}0-9 ._'-]+$`, 'u'))

/** Marks that only adorn a letter; those of Indian scripts and kana make it another one. */
const ACCENTS =
  /(?=\p{M})(?!\u3099|\u309a)[\p{sc=Inherited}\p{sc=Arabic}\p{sc=Cyrillic}\p{sc=Hebrew}]/gu

/** Words with which the product speaks of itself: nobody else may. */
const RESERVED: ReadonlySet<string> = new Set(['lobby', 'sotto', 'system', 'you'].map(skeleton))

/**
 * The display form of a user name: NFC, trimmed, 1 to 32 code points, at most 64 bytes, letters
 * and digits of one writing system with single separators between them. A name is in this form
 * exactly when it comes back unchanged; both ends check that. Throws SottoError `bad_name` with a
 * text that says what to change.
 */
export function normaliseName(text: string): string {
  if (text.length > 8 * MAX_NAME_CHARACTERS) throw tooLong()
  const name = text.normalize('NFC').trim().replaceAll('’', "'")
  if (name === '') throw refused('Enter a name.')
  if (INVISIBLE.test(name))
    throw refused(
      'This name holds an invisible character, or one that turns the direction of text. Type it by hand instead of pasting it.',
    )
  const rest = name.replace(PLAIN, '')
  if (rest.normalize('NFKC') !== rest) {
    const better = name.normalize('NFKC')
    throw refused(
      `This name has letters in special forms.${SHAPE.test(better) ? ` Write it as: ${better}` : ' Use plain letters.'}`,
    )
  }
  if (Array.from(name).length > MAX_NAME_CHARACTERS || utf8(name).length > MAX_NAME_BYTES)
    throw tooLong()
  if (!SHAPE.test(name) || DEFACING.test(name))
    throw refused(
      'A name has letters and digits, and between them single spaces, dots, hyphens, underscores or apostrophes. Leave out everything else.',
    )
  if (!WRITING_SYSTEMS.some((system) => system.test(name)))
    throw refused(
      'This name mixes alphabets or has unusual letters, with which one name can pass for another. Write it in one alphabet.',
    )
  if (RESERVED.has(skeleton(name)))
    throw refused('This name could be mistaken for the chat itself. Take another one.')
  return name
}

/**
 * What all names have in common that look alike: without case, accents and invisible characters,
 * each letter replaced by what stands for its look-alikes (UTS 39), `rn` as `m`, `vv` as `w`, every
 * separator the same. The endpoint keeps it unique. It is never shown, and takes any string.
 */
export function skeleton(name: string): string {
  // Half a surrogate pair goes first: Firefox would normalise it to U+FFFD, others leave it.
  const whole = name.replace(/\p{Cs}/gu, '')
  const folded = whole.normalize('NFKD').toLowerCase().toUpperCase().toLowerCase().normalize('NFKD')
  const bare = folded.replace(/\p{Default_Ignorable_Code_Point}|\p{C}/gu, '').replace(ACCENTS, '')
  return Array.from(bare, prototypeOf)
    .join('')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replace(/[\p{Z}\p{P}]/gu, '-')
}

function tooLong(): SottoError {
  return refused(
    'This name is too long. At most 32 characters fit, and fewer of alphabets whose letters take more room.',
  )
}

function refused(message: string): SottoError {
  return new SottoError('bad_name', message)
}
