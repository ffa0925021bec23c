import type { Notice } from './model.ts'
import type { Meta } from './room_store.ts'

const place = ({ kind, peer }: Meta): string =>
  kind === 'lobby' ? 'in the lobby' : `in your conversation with ${peer}`

/** The room's log is not one and the same for all, or has gone back. */
export function forkNotice(meta: Meta, room: string, seen: string): Notice {
  return {
    id: `fork/${room}`,
    kind: 'mitm',
    title: `Possible manipulation ${place(meta)}`,
    seen,
    advice:
      'Nothing is sent there any more, and what you have stays readable: in the page it can be saved as text, under who can read it. Ask whoever runs the server whether a backup was restored. If not, somebody may be deceiving you: compare with the others by another way.',
    blocking: false,
    choices: [
      { choice: 'stay', label: 'Keep it read-only', danger: false },
      { choice: 'go_on', label: 'Go on with the server’s history', danger: true },
    ],
  }
}

/** Somebody is in the room, or was to be let in, who may not be. */
export function memberNotice(meta: Meta, room: string, seen: string): Notice {
  return {
    id: `member/${room}`,
    kind: 'mitm',
    title: `Possible man-in-the-middle attack ${place(meta)}`,
    seen,
    advice:
      'Nothing is sent there until you decide. Compare fingerprints with the person by another way before you go on.',
    blocking: false,
    choices: [
      { choice: 'stay', label: 'Send nothing', danger: false },
      { choice: 'go_on', label: 'Look again', danger: true },
    ],
  }
}

/** The endpoint neither takes nor refuses what we send. */
export function unconfirmedNotice(meta: Meta, room: string): Notice {
  return {
    id: `unconfirmed/${room}`,
    kind: 'warning',
    title: `Not delivered ${place(meta)}`,
    seen: 'The server has not confirmed what you sent for half a minute. Nobody may have received it.',
    advice: 'It stays here and goes out when the server takes it. Reconnecting may help.',
    blocking: false,
    choices: [],
  }
}

/** What the endpoint says it has does not come. */
export function withheldNotice(meta: Meta, room: string): Notice {
  return {
    id: `withheld/${room}`,
    kind: 'warning',
    title: `Messages are missing ${place(meta)}`,
    seen: 'The server has had newer messages for half a minute and does not hand them over.',
    advice: 'They are asked for again and again. If it stays so, ask whoever runs the server.',
    blocking: false,
    choices: [],
  }
}
