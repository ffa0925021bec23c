import { type Bytes, hex } from '../protocol/bytes.ts'
import { span } from './absence.ts'
import type { Notice } from './model.ts'
import { type PersonPin, spell } from './trust.ts'

const WHAT_IS_SAFE =
  'What you have sent and received stays as it is: it is sealed from person to person, and nothing was lost.'

/** Stands until the endpoint accepts this device. */
export const NOT_ACCEPTED = 'not_accepted'

/** A record did not open, a signature was wrong, a sequence was broken. */
export function tampered(seen: string): Notice {
  return {
    id: 'tampered',
    kind: 'mitm',
    title: 'Possible man-in-the-middle attack',
    seen: `${seen} The connection was ended at once.`,
    advice: `A fresh connection is made by itself. ${WHAT_IS_SAFE} If this happens again, use another network, and ask whoever runs the server.`,
    blocking: false,
    choices: [],
  }
}

/** The endpoint shows another key than the pinned one. */
export function endpointChanged(host: string, pinned: Bytes | undefined, seen: Bytes): Notice {
  const before = pinned === undefined ? '' : `\nKnown: ${spell(pinned)}`
  return {
    id: `endpoint/${host}`,
    kind: 'mitm',
    title: 'Possible man-in-the-middle attack',
    seen: `The server “${host}” shows another key than the one you know. Nothing was sent to it.${before}\nSeen now: ${spell(seen)}`,
    advice:
      'Ask whoever runs the server, by another way, whether its key was changed and what its fingerprint is. Go on only if it is the one seen here.',
    blocking: true,
    choices: [
      { choice: 'stay', label: 'Stay disconnected', danger: false },
      { choice: 'trust', label: 'Trust the new key', danger: true },
    ],
  }
}

/** Somebody's key is not the pinned one. The id names the key: a decision is about no other. */
export function personChanged({ user, fingerprint, changed }: PersonPin): Notice {
  const now = changed === null ? '' : `\nSeen now: ${spell(changed)}`
  return {
    id: `key/${user}#${changed === null ? '' : hex(changed)}`,
    kind: 'mitm',
    title: `The key of ${user} has changed`,
    seen: `This may be a man-in-the-middle attack.\nKnown: ${spell(fingerprint)}${now}`,
    advice: `Nothing is sent to ${user} until you decide. Ask ${user} by another way whether they have a new key, and compare it.`,
    blocking: false,
    choices: [
      { choice: 'stay', label: 'Keep the known key', danger: false },
      { choice: 'trust', label: 'Trust the new key', danger: true },
    ],
  }
}

/** A key that is known by one name is shown under another. */
export function personRenamed({ user, before }: { user: string; before: string }): Notice {
  return {
    id: `renamed/${user}`,
    kind: 'warning',
    title: `${user} has the key of ${before}`,
    seen: `The server shows one key under two names. ${before} may use a second name, or the server may have renamed them.`,
    advice: `Ask ${before} by another way whether ${user} is a name of theirs.`,
    blocking: false,
    choices: [],
  }
}

/** The browser has deleted which keys were known. */
export function pinsLost(host: string): Notice {
  return {
    id: `pins/${host}`,
    kind: 'warning',
    title: 'Known keys are gone',
    seen: `The browser has deleted or damaged which keys this device knew: that of the server “${host}”, and who was verified. Nothing was sent.`,
    advice:
      'Ask whoever runs the server, by another way, for its fingerprint, or open an invitation link. If you go on, keys are taken as they are seen now: compare them afterwards.',
    blocking: true,
    choices: [
      { choice: 'stay', label: 'Stay disconnected', danger: false },
      { choice: 'trust', label: 'Go on with the keys seen now', danger: true },
    ],
  }
}

/** The name belongs to another key, or the endpoint wants this identity no more. */
export function notAccepted(text: string): Notice {
  return {
    id: NOT_ACCEPTED,
    kind: 'warning',
    title: 'Not accepted',
    seen: text,
    advice: 'It is tried again by itself, in case the server changes its mind.',
    blocking: false,
    choices: [],
  }
}

/** Another device of the person has removed this one. */
export function deviceRemoved(user: string): Notice {
  return {
    id: 'revoked',
    kind: 'warning',
    title: 'This device was removed',
    seen: `It was taken off the devices of ${user}, from another one of them. It no longer sends or receives anything; what was kept here can still be read.`,
    advice: `If you did this, all is well: you can delete ${user} from this browser under Identity. If you did not, somebody else has your key: warn the people you write with, and go on under another name.`,
    blocking: false,
    choices: [],
  }
}

/** This device's clock is ahead of the endpoint's by so many milliseconds, or behind. */
export function clocksApart(ahead: number): Notice {
  return {
    id: 'clocks',
    kind: 'warning',
    title: 'Clocks differ',
    seen: `The clock of this device is ${span(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} the server’s. Times at messages are off by as much.`,
    advice:
      'Look whether the date and time of this device are right. If they are, tell whoever runs the server.',
    blocking: false,
    choices: [],
  }
}

/** Something that the person should know and can do little about. */
export function trouble(text: string, id = 'trouble'): Notice {
  return {
    id,
    kind: 'warning',
    title: 'Please note',
    seen: text,
    advice: '',
    blocking: false,
    choices: [],
  }
}
