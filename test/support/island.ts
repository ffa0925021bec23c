/**
 * A network apart from everybody's (a network namespace of Linux), in which packets can be lost
 * for good: they are sent, and dropped where they arrive, so neither end is told anything.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`
const TABLE = 'inet island'
/** Lives as long as its standard input: until the test's process is gone, however it goes. */
const KEEPER = [
  'ip link set lo up',
  `nft add table ${TABLE}`,
  `nft 'add chain ${TABLE} arriving { type filter hook input priority 0; }'`,
  'echo ready',
  'exec cat',
].join(' && ')
/** As root a namespace is to be had at once; for everybody else within one of users. */
const APART: readonly (readonly string[])[] = [['--net'], ['--user', '--map-root-user', '--net']]

export class Island {
  /** In front of a command: runs it on the island. */
  readonly enter: readonly string[]
  readonly #keeper: ChildProcess

  private constructor(keeper: ChildProcess, apart: readonly string[]) {
    this.#keeper = keeper
    const users = apart.includes('--user') ? ['--user', '--preserve-credentials'] : []
    this.enter = ['nsenter', '--target', String(keeper.pid), '--net', ...users, '--']
  }

  /** Why there can be no island here, or undefined where there can. */
  static get missing(): string | undefined {
    const how = APART.some((apart) => probe(apart))
    return how ? undefined : 'needs Linux with network namespaces, ip (iproute2) and nft (nftables)'
  }

  static async start(): Promise<Island> {
    const apart = APART.find(probe)
    if (apart === undefined) throw new Error(Island.missing)
    const keeper = spawn('unshare', [...apart, 'sh', '-c', KEEPER], {
      env: { ...process.env, PATH },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    if (keeper.stdout === null) throw new Error('no standard output')
    await once(keeper.stdout, 'data')
    return new Island(keeper, apart)
  }

  /** From now on every packet of TCP from and to this port is lost. */
  lose(port: number): void {
    for (const end of ['sport', 'dport'])
      this.#nft(
        'add',
        'rule',
        ...TABLE.split(' '),
        'arriving',
        'tcp',
        end,
        `${port}`,
        'counter drop',
      )
  }

  /** How many packets were lost since the last `lose`. */
  get lost(): number {
    const counters = this.#nft('list', 'table', ...TABLE.split(' ')).matchAll(/packets (\d+)/g)
    return [...counters].reduce((sum, [, packets]) => sum + Number(packets), 0)
  }

  /** The network works again. */
  heal(): void {
    this.#nft('flush', 'chain', ...TABLE.split(' '), 'arriving')
  }

  async close(): Promise<void> {
    const closed = once(this.#keeper, 'close')
    this.#keeper.stdin?.end()
    await closed
  }

  #nft(...words: readonly string[]): string {
    const [command = '', ...rest] = [...this.enter, 'nft', ...words]
    return execFileSync(command, rest, { env: { ...process.env, PATH }, encoding: 'utf8' })
  }
}

function probe(apart: readonly string[]): boolean {
  const env = { ...process.env, PATH }
  const { status } = spawnSync('unshare', [...apart, 'sh', '-c', KEEPER], { env, input: '' })
  return status === 0
}
