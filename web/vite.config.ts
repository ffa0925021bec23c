/** Builds the page into .build/page: hashed assets, each also compressed once and for all. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

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
  },
  plugins: [precompress()],
})
