import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, describe, it } from '../support/suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const readme = read('README.md')
const protocol = read('PROTOCOL.md')

interface Package {
  readonly scripts: Record<string, string>
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
}
const project = JSON.parse(read('package.json')) as Package

describe('the README', () => {
  it('has a row with a reason for every dependency, and for nothing else', () => {
    const names = [...readme.matchAll(/^\| `([^`]+)` \| [^|]+ \| [^|]{10,} \|$/gm)].map(
      (row) => row[1],
    )
    const real = [...Object.keys(project.dependencies), ...Object.keys(project.devDependencies)]
    assert.deepEqual([...new Set(names)].sort(), real.sort())
  })

  it('names the version of every dependency that is installed', () => {
    const rows = [...readme.matchAll(/^\| `([^`]+)` \| (?:[a-z-]+ )?(\d\S*) \| [^|]{10,} \|$/gm)]
    const named = Object.fromEntries(rows.map(([, name, version]) => [name, version]))
    const pinned = Object.entries({ ...project.dependencies, ...project.devDependencies })
    const real = pinned.map(([name, version]) => [name, version.replace(/^npm:[a-z-]+@/, '')])
    assert.deepEqual(named, Object.fromEntries(real))
  })

  it('pins every dependency to one version', () => {
    for (const version of Object.values({ ...project.dependencies, ...project.devDependencies }))
      assert.match(version, /^(npm:[a-z-]+@)?\d+\.\d+\.\d+$/)
  })

  it('names only commands that exist', () => {
    for (const [, name = ''] of readme.matchAll(/npm run ([a-z]+)/g))
      assert.property(project.scripts, name)
    const stages = read('test/run.ts')
    for (const [, name = ''] of readme.matchAll(/test\/run\.ts ([a-z]+)/g))
      assert.match(stages, new RegExp(`\\b${name}:`))
  })

  it('names only files that exist, and so does PROTOCOL.md', () => {
    for (const text of [readme, protocol])
      for (const [, path = ''] of text.matchAll(/[(`]((?:web|relay|test)\/[\w./*-]*)[)`]/g))
        assert.isNotEmpty(
          path.includes('*')
            ? globSync(path, { cwd: root })
            : existsSync(join(root, path))
              ? [path]
              : [],
          path,
        )
  })

  it('links only to headings and files that exist', () => {
    const headings = (text: string): Set<string> =>
      new Set(
        [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
          title
            .toLowerCase()
            .replace(/[^\w\s-]/g, '')
            .trim()
            .replace(/\s/g, '-'),
        ),
      )
    for (const text of [readme, protocol])
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [file, anchor] = target.split('#')
        if (file) assert.isTrue(existsSync(join(root, file)), target)
        if (anchor) assert.isTrue(headings(file ? read(file) : text).has(anchor), target)
      }
  })
})
