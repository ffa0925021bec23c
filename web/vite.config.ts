/** Builds the page into .build/page: hashed assets, each also compressed once and for all. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'
import { folded, terseErrors, tightTemplates, unreached } from './vite.smaller.ts'

const root = resolve(import.meta.dirname, '..')
const page = join(root, '.build/page')

/** Writes FILE.br and FILE.gz beside every file that compression makes smaller. */
function precompress(): Plugin {
  return {
    name: 'sotto-precompress',
    apply: 'build',
    closeBundle() {
      for (const entry of readdirSync(page, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name)
        if (!entry.isFile() || !/\.(js|css|html|svg|json|webmanifest)$/.test(path)) continue
        const bytes = readFileSync(path)
        const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
        writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }))
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }))
      }
    },
  }
}

/** Leaves out what Vite wraps around every `import()` to fetch styles and parts ahead: there are none. */
function plainImports(): Plugin {
  return {
    name: 'sotto-plain-imports',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      if (id !== '\0vite/preload-helper.js') return
      return 'export const __vitePreload = (load) => load()'
    },
  }
}

interface Modules {
  getModuleInfo(id: string): { isEntry: boolean; importers: readonly string[] } | null
}

/** Whether a module that `matches`, or any module that this one is imported by, needs it at once. */
function neededBy(
  id: string,
  modules: Modules,
  matches: (id: string, isEntry: boolean) => boolean,
  seen = new Set<string>(),
): boolean {
  const info = modules.getModuleInfo(id)
  if (info === null || seen.has(id)) return false
  seen.add(id)
  if (matches(id, info.isEntry)) return true
  return info.importers.some((importer) => neededBy(importer, modules, matches, seen))
}

/**
 * All of ours that the first screen can do without is one file: it compresses better (by 3 KB), and
 * is there as a whole when somebody comes in. What only some engines or few people need stays apart.
 */
function afterFirstPaint(id: string, modules: Modules): string | null {
  if (neededBy(id, modules, (one, isEntry) => isEntry || one.endsWith('/qr_code.ts'))) return null
  return neededBy(id, modules, (importer) => importer.startsWith(join(root, 'web/')))
    ? 'chat'
    : null
}

export default defineConfig({
  root,
  // Relative addresses: the page runs from any path and any host.
  base: './',
  build: {
    outDir: page,
    emptyOutDir: true,
    target: ['chrome137', 'firefox130', 'safari17'],
    // Lazy parts are loaded where the code says so; nothing has to be announced.
    modulePreload: false,
    rolldownOptions: {
      checks: { pluginTimings: false },
      output: {
        codeSplitting: {
          groups: [
            {
              name: afterFirstPaint,
              debugName: 'after the first paint',
              includeDependenciesRecursively: false,
            },
          ],
        },
      },
    },
  },
  plugins: [plainImports(), terseErrors(), unreached(), tightTemplates(), folded(), precompress()],
})
