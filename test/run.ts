/**
 * `npm test`: everything that CI runs, and one plain line at the end. With names, only those
 * stages: `node test/run.ts types node chromium`. `--full` runs the full counts of the attack,
 * fault and fuzz tables instead of samples.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { installMissing } from './support/install.ts'
import { placeOf, pythonWithCryptography } from './support/places.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Count {
  passed: number
  failed: number
}

/** Where a stage that runs beside another one keeps what it prints, until it is its turn. */
const kept = new AsyncLocalStorage<string[]>()

function print(text: string): void {
  const pages = kept.getStore()
  if (pages === undefined) process.stdout.write(text)
  else pages.push(text)
}

/** Runs a command, shows what it prints, and resolves to its exit code and its output. */
function command(
  name: string,
  args: readonly string[],
  env = {},
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(name, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const show = (chunk: Buffer): void => {
      output += chunk
      print(String(chunk))
    }
    child.stdout.on('data', show)
    child.stderr.on('data', show)
    child.on('error', (error) => resolve({ code: 1, output: String(error) }))
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

/** A command that is one test: it passes when it exits with 0. */
async function one(name: string, ...args: string[]): Promise<Count> {
  const { code, output } = await command(name, args)
  if (code !== 0 && output === '') print(`${name} ${args.join(' ')} failed\n`)
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

/** A command that counts for itself, in the same closing line as ours. */
async function counting(name: string, args: readonly string[], env = {}): Promise<Count> {
  const { code, output } = await command(name, args, env)
  const lines = [...output.matchAll(/(\d+) passed, (\d+) failed/g)]
  const last = lines.at(-1)
  const count = { passed: Number(last?.[1] ?? 0), failed: Number(last?.[2] ?? 0) }
  // The exit code has the last word: a suite that could not be loaded counts no test.
  if (count.failed === 0 && (code !== 0 || count.passed === 0)) count.failed = 1
  return count
}

async function nodeTests(
  patterns: readonly string[],
  concurrency: number,
  but: readonly string[] = FUZZ,
): Promise<Count> {
  const count = { passed: 0, failed: 0 }
  const elsewhere = new Set(globSync(but, { cwd: root }))
  const names = globSync(patterns, { cwd: root }).filter((file) => !elsewhere.has(file))
  const files = names.map((file) => `${root}${file}`)
  const stream = run({
    files: files.sort(),
    concurrency,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const suites = new Set<string>()
  stream.on('test:pass', (test) => {
    if (test.details.type !== 'suite') count.passed += 1
  })
  stream.on('test:fail', (test) => {
    if (test.details.type !== 'suite') count.failed += 1
    else suites.add(test.name)
  })
  // The reporter says at its end what each failure was: nobody may leave before that is out.
  const out = new Writable({
    write(chunk, _encoding, done) {
      print(String(chunk))
      done()
    },
  })
  await pipeline(stream, spec(), out)
  // A suite that fails outside its tests (a hook, a crash while loading) is a failure too.
  if (count.failed === 0) count.failed = suites.size
  return count
}

/** Files that hold a fuzz target of THREATS.md: a stage of their own, left out of the others. */
const FUZZ = [
  'test/protocol/{handshake_messages,record,envelope,spki,key_file_fuzz}.test.ts',
  'test/protocol/{messages,cbor,mls_header,room_fuzz,room_state,names}.test.ts',
  'test/endpoint/store_recovery.test.ts',
  'test/attack/text.node.test.ts',
  'test/fault/conversation.node.test.ts',
]

/** Files whose tests wait for minutes on end, for clocks of real networks: they need no core. */
const WAITS = ['test/fault/half_open.node.test.ts', 'test/attack/withheld.node.test.ts']

/** Every stage in the order in which it runs. The page is built before what opens it. */
const STAGES: Record<string, () => Promise<Count>> = {
  types: () => one('tsc', '-p', '.'),
  lint: () => one('biome', 'check', '--config-path=.biome.json', '.'),
  build: () => one('vite', 'build', '--config', 'web/vite.config.ts', '--logLevel', 'warn'),
  node: () => nodeTests(['test/{project,protocol,chat,endpoint,relay,peer}/**/*.test.ts'], 2),
  fuzz: () => nodeTests(FUZZ, 2, []),
  python: async () => {
    const python = pythonWithCryptography()
    if (python === undefined) {
      print('The second implementation of the vectors was not run: no python3-cryptography.\n')
      return { passed: 0, failed: 0 }
    }
    const count = { passed: 0, failed: 0 }
    for (const script of globSync('test/vectors/check*.py', { cwd: root }).sort()) {
      const more = await counting(python, [script])
      count.passed += more.passed
      count.failed += more.failed
    }
    return count
  },
  chromium: () => counting('web-test-runner', ['--config', 'test/web-test-runner.config.mjs']),
  firefox: () => {
    if (placeOf('firefox') === undefined) {
      print('Nothing was run in Firefox: there is none.\n')
      return Promise.resolve({ passed: 0, failed: 0 })
    }
    return counting('web-test-runner', ['--config', 'test/web-test-runner.config.mjs'], {
      SOTTO_BROWSER: 'firefox',
    })
  },
  attack: () => nodeTests(['test/attack/**/*.test.ts'], 2, [...FUZZ, ...WAITS]),
  waits: () => nodeTests(WAITS, 2, []),
  fault: () => nodeTests(['test/fault/**/*.test.ts'], 1, [...FUZZ, ...WAITS]),
  story: () => nodeTests(['test/story/**/*.test.ts'], 2),
}

/** Stages in the order in which they run; those in one line run side by side. */
const PLAN: readonly (readonly string[])[] = [
  ['types', 'lint', 'build'],
  ['node', 'firefox'],
  ['chromium', 'fuzz', 'python'],
  ['attack'],
  ['fault', 'waits'],
  ['story'],
]

async function main(): Promise<number> {
  const names = process.argv.slice(2).filter((argument) => argument !== '--full')
  if (process.argv.includes('--full')) process.env.SOTTO_FULL = '1'
  const unknown = names.find((name) => !(name in STAGES))
  if (unknown !== undefined) {
    console.error(`No stage "${unknown}". There are: ${Object.keys(STAGES).join(', ')}.`)
    return 2
  }
  installMissing()
  const total = { passed: 0, failed: 0 }
  const times: string[] = []
  const stage = async (name: string): Promise<void> => {
    print(`\n── ${name}\n`)
    const start = performance.now()
    const count = (await STAGES[name]?.()) ?? { passed: 0, failed: 1 }
    total.passed += count.passed
    total.failed += count.failed
    const seconds = ((performance.now() - start) / 1000).toFixed(0)
    times.push(`${name} ${count.passed}/${count.passed + count.failed} in ${seconds} s`)
  }
  for (const line of PLAN) {
    const [first, ...others] = line.filter((name) => names.length === 0 || names.includes(name))
    if (first === undefined) continue
    const beside = others.map((name) => {
      const pages: string[] = []
      return { pages, done: kept.run(pages, () => stage(name)) }
    })
    await stage(first)
    for (const { pages, done } of beside) {
      await done
      for (const page of pages) print(page)
    }
  }
  console.log(`\n${times.join(' · ')}\n`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  return total.failed === 0 && total.passed > 0 ? 0 : 1
}

process.exit(await main())
