/**
 * Handshakes, both sides in one process: ours against node:tls with TLS 1.3, RSA-3072 and client
 * certificates, and a resumption against the full one. Each kind has a process of its own and they
 * take turns in short rounds, so that whatever else the machine does hits all of them; a ratio is
 * the median over the pairs of neighbouring rounds.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { answer } from './fanout.ts'
import { type Figure, median } from './figure.ts'
import type { Kind, Round, Took } from './handshake_kind.ts'

/** Rounds of each kind, and as many before them that nobody counts. */
const ROUNDS = 41
const WARM_UP = 8
/** As many as take about a twentieth of a second: whoever disturbs a round disturbs the next too. */
const PER_ROUND: Record<Kind, number> = { full: 20, tls: 20, resumed: 120 }
/** Our RSA runs in libuv's threads, that of node:tls on the main one. */
const FLIGHTS = 4

/** A process that does handshakes of one kind, when it is asked to. */
class Contestant {
  readonly #kind: Kind
  readonly #child: ChildProcess

  private constructor(kind: Kind, child: ChildProcess) {
    this.#kind = kind
    this.#child = child
  }

  static async start(kind: Kind): Promise<Contestant> {
    const child = fork(`${import.meta.dirname}/handshake_kind.ts`, [kind])
    await answer(child)
    return new Contestant(kind, child)
  }

  /** A round with so many handshakes under way at any time. */
  async round(flights: number): Promise<Took> {
    this.#child.send({ handshakes: PER_ROUND[this.#kind], flights } satisfies Round)
    return answer(this.#child)
  }

  stop(): void {
    this.#child.kill()
  }
}

/** What each of the two took, round by round. */
interface Duel {
  readonly ours: readonly Took[]
  readonly theirs: readonly Took[]
}

async function duel(ours: Contestant, theirs: Contestant, flights: number): Promise<Duel> {
  const took = { ours: [] as Took[], theirs: [] as Took[] }
  for (let i = 0; i < WARM_UP + ROUNDS; i++) {
    const pair = [await ours.round(flights), await theirs.round(flights)] as const
    if (i < WARM_UP) continue
    took.ours.push(pair[0])
    took.theirs.push(pair[1])
  }
  return took
}

/** The median of ours, that of theirs, and how many times ours goes into theirs. */
function compare({ ours, theirs }: Duel, by: keyof Took) {
  const ratios = ours.map((took, i) => (theirs[i]?.[by] ?? Number.NaN) / took[by])
  const [mine = 0, other = 0] = [ours, theirs].map((all) => median(all.map((took) => took[by])))
  return { mine, other, ratio: median(ratios) }
}

export async function bench(): Promise<readonly Figure[]> {
  const contestants = await Promise.all(
    (['full', 'tls', 'resumed'] as const).map((kind) => Contestant.start(kind)),
  )
  const [full, tls, resumed] = contestants as [Contestant, Contestant, Contestant]
  try {
    const many = await duel(full, tls, FLIGHTS)
    const alone = await duel(full, tls, 1)
    const again = await duel(resumed, full, 1)
    return [
      throughput(compare(many, 'wall')),
      ...[latency(compare(alone, 'wall')), work(compare(many, 'cpu'))],
      ...resumption(compare(again, 'wall'), compare(again, 'cpu')),
    ]
  } finally {
    for (const contestant of contestants) contestant.stop()
  }
}

type Compared = ReturnType<typeof compare>

const PEER = 'node:tls, TLS 1.3, RSA-3072 on both sides'

function throughput({ mine, other, ratio }: Compared): Figure {
  return {
    name: `full handshakes, both sides, ${FLIGHTS} under way`,
    value: 1000 / mine,
    unit: '/s',
    ratio,
    against: `${PEER} (${(1000 / other).toFixed(0)} /s)`,
    goal: { atLeast: 1 },
  }
}

function latency({ mine, other, ratio }: Compared): Figure {
  return {
    name: 'full handshake, both sides, one at a time',
    value: mine,
    unit: 'ms',
    ratio,
    against: `${PEER} (${other.toFixed(2)} ms)`,
  }
}

/** What counts when other work has all cores. */
function work({ mine, other, ratio }: Compared): Figure {
  return {
    name: 'processor time of a full handshake, both sides',
    value: mine,
    unit: 'ms',
    ratio,
    against: `${PEER} (${other.toFixed(2)} ms)`,
  }
}

function resumption(wall: Compared, cpu: Compared): Figure[] {
  const against = 'the full handshake'
  return [
    {
      name: 'resumption, both sides, one at a time',
      value: wall.mine,
      unit: 'ms',
      ratio: wall.ratio,
      against,
      goal: { atLeast: 5 },
    },
    {
      name: 'processor time of a resumption, both sides',
      value: cpu.mine,
      unit: 'ms',
      ratio: cpu.ratio,
      against,
    },
  ]
}
