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

/**
 * Indentation inside our templates and styles is not for browsers. `web/ui/html.ts` and CSS read
 * it as one blank or none, so taking it out changes nothing.
 */
function dedent(): Plugin {
  return {
    name: 'sotto-dedent',
    apply: 'build',
    transform: {
      filter: { id: /\/web\/ui\/.*\.ts$/ },
      handler: (code) => ({
        code: code
          .replace(/css`[^`]*`/g, (sheet) =>
            sheet
              .replace(/\/\*.*?\*\//gs, '')
              .replace(/\s+/g, ' ')
              .replace(/ ?([{};]) ?/g, '$1')
              .replace(/: /g, ':'),
          )
          .replace(/\n\s+/g, '\n'),
        map: null,
      }),
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
    rolldownOptions: {
      output: {
        // What comes after the first paint comes in two pieces: similar code compresses together.
        codeSplitting: {
          groups: [
            { name: 'screen', test: /\/web\/ui\/(?!chat_app)/, entriesAware: true },
          ],
        },
      },
    },
    // A data: address is not 'self'.
    assetsInlineLimit: 0,
  },
  plugins: [dedent(), precompress()],
})
