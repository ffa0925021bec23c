/**
 * One spelling of tests for both engines: node:test in Node, mocha under web-test-runner in the
 * browser. The protocol suite runs unchanged in both.
 */
import { assert } from 'chai'

type Body = () => void | Promise<void>
interface Describe {
  (name: string, body: () => void): void
  /** Counts as skipped, for what this machine can't do. */
  skip(name: string, body: () => void): void
}
interface Suite {
  describe: Describe
  it(name: string, body: Body): void
  before(body: Body): void
  after(body: Body): void
  beforeEach(body: Body): void
  afterEach(body: Body): void
}

export const inNode = 'process' in globalThis

async function load(): Promise<Suite> {
  if (!inNode) return globalThis as unknown as Suite
  // By a variable, so that the browser's server does not try to resolve it.
  const runner = 'node:test'
  return (await import(runner)) as unknown as Suite
}

const suite = await load()
export const { describe, it, after, beforeEach, afterEach } = suite
export { assert }

/** What fails here fails every test of its suite, and says that it was not they. */
export function before(body: Body): void {
  suite.before(async () => {
    try {
      await body()
    } catch (error) {
      if (error instanceof Error) error.message = `before any test: ${error.message}`
      throw error
    }
  })
}

/** Asserts that `work` rejects (or throws) a SottoError of this code, and returns it. */
export async function fails(code: string, work: () => unknown): Promise<Error> {
  try {
    await work()
  } catch (error) {
    assert.instanceOf(error, Error)
    assert.equal((error as { code?: string }).code, code, (error as Error).stack ?? '')
    return error as Error
  }
  return assert.fail(`expected a SottoError ${code}, but nothing was thrown`)
}
