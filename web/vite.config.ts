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
    // The polyfill is an inline script in spirit and needless on the browsers that we ask for.
    modulePreload: { polyfill: false },
    // A data: address is not 'self'.
    assetsInlineLimit: 0,
  },
  plugins: [precompress()],
})
