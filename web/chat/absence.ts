/** What the endpoint does not keep for ever. */
export interface Limits {
  /** Days that messages are kept for who is away; 0 for ever. */
  readonly keepDays: number
  /** Seconds after which a device that is away leaves the lobby's group. */
  readonly lobbyAbsence: number
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Milliseconds in words, roughly. */
export function span(ms: number): string {
  const [unit, name] =
    ms >= 2 * DAY ? [DAY, 'days'] : ms >= 2 * HOUR ? [HOUR, 'hours'] : [MINUTE, 'minutes']
  return `${Math.round(ms / unit)} ${name}`
}

/** What being away for long costs in a room, for people; empty when nothing. */
export function costOfAbsence(kind: 'lobby' | 'private', { keepDays, lobbyAbsence }: Limits) {
  const lobby = `Who is away for more than ${span(lobbyAbsence * 1_000)} has left the Lobby: what is written there until they are back, they can’t read.`
  const kept = `The server keeps messages for ${span(keepDays * DAY)} for people who are away.`
  return [...(kind === 'lobby' ? [lobby] : []), ...(keepDays > 0 ? [kept] : [])].join(' ')
}
