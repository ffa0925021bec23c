import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, describe, it } from '../support/suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Import {
  readonly from: string
  readonly to: string
}

/** Every import of our own files and of packages, types included. */
function imports(): Import[] {
  return globSync('{web,relay}/**/*.ts', { cwd: root }).flatMap((from) => {
    const text = readFileSync(join(root, from), 'utf8')
    return [...text.matchAll(/(?:\bfrom|\bimport\(|^import)\s*'([^']+)'/gm)].map((match) => {
      const name = match[1] ?? ''
      return { from, to: name.startsWith('.') ? normalize(join(dirname(from), name)) : name }
    })
  })
}

/** What each part may import of our own files. The first row that matches a file counts. */
const MAY: readonly (readonly [part: RegExp, may: RegExp])[] = [
  [/^web\/main\.ts$/, /^web\//],
  [/^web\/protocol\//, /^web\/protocol\//],
  [/^web\/chat\//, /^web\/(chat|protocol)\//],
  [/^web\/io\//, /^web\/(io|protocol)\/|^web\/chat\/(transport|storage)\.ts$/],
  [/^web\/ui\//, /^web\/(ui|chat|protocol)\//],
  [/^web\/vite\.\w+\.ts$/, /^web\/vite\./],
  [/^relay\/(cli|\w+_command)\.ts$/, /^(relay|web\/(protocol|chat))\//],
  [/^relay\/(endpoint|peer)\//, /^(relay\/|web\/(protocol|chat)\/)/],
  [
    /^relay\/(trunk_(link|frames|secured|key)|node_primitives|private_files)\.ts$/,
    /^(relay\/[^/]+$|web\/protocol\/)/,
  ],
  [/^relay\/[^/]+\.ts$/, /^(relay\/[^/]+$|web\/protocol\/envelope\.ts$)/],
]

describe('the layers', () => {
  it('import in one direction only', () => {
    const wrong = imports().filter(({ from, to }) => {
      if (!/^(web|relay|test)\//.test(to)) return false
      const row = MAY.find(([part]) => part.test(from))
      return row === undefined || !row[1].test(to)
    })
    assert.deepEqual(wrong, [])
  })

  it('keep Node out of the page', () => {
    const wrong = imports().filter(
      ({ from, to }) =>
        from.startsWith('web/') && from !== 'web/vite.config.ts' && to.startsWith('node:'),
    )
    assert.deepEqual(wrong, [])
  })

  it('keep the DOM, the clock and randomness that a test needs out of the protocol', () => {
    const wrong = globSync('web/protocol/*.ts', { cwd: root }).filter((file) =>
      /\b(document|window|localStorage|indexedDB|fetch|WebSocket|setTimeout|setInterval)\b\s*[.(]|\bDate\.now\(|\bperformance\.now\(|Math\.random/.test(
        readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
      ),
    )
    assert.deepEqual(wrong, [])
  })

  it('let the relay reach nothing of the page but the frame envelope and what that is made of', () => {
    const reached = new Set<string>()
    const all = imports()
    const visit = (file: string): void => {
      if (reached.has(file)) return
      reached.add(file)
      for (const { from, to } of all) if (from === file && /^(web|relay)\//.test(to)) visit(to)
    }
    visit('relay/relay.ts')
    const web = [...reached].filter((file) => file.startsWith('web/')).sort()
    assert.deepEqual(
      web.filter((file) => !/^web\/protocol\/(envelope|bytes|errors)\.ts$/.test(file)),
      [],
    )
  })
})
