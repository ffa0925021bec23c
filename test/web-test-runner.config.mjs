import { fileURLToPath } from 'node:url'
import { esbuildPlugin } from '@web/dev-server-esbuild'
import { chromeLauncher } from '@web/test-runner'
import { chromium, chromiumFlags } from './support/browsers.ts'
import { firefoxLauncher } from './support/firefox_launcher.ts'
import { strictDocument } from './support/strict_document.ts'

/** The suites that run in browsers: all that need no Node. `SOTTO_BROWSER=firefox` changes engine. */
const firefox = process.env.SOTTO_BROWSER === 'firefox'

export default {
  rootDir: fileURLToPath(new URL('..', import.meta.url)),
  files: firefox
    ? ['test/protocol/**/*.test.ts', 'test/ui/hostile_text.test.ts', '!**/*.node.test.ts']
    : ['test/{protocol,ui,io}/**/*.test.ts', '!**/*.node.test.ts'],
  nodeResolve: true,
  // One at a time: a tab in the background gets no frames, and so does not scroll or draw.
  concurrency: 1,
  concurrentBrowsers: 1,
  browserStartTimeout: 60_000,
  testsStartTimeout: 60_000,
  testsFinishTimeout: 180_000,
  testFramework: { config: { timeout: 60_000 } },
  browsers: [
    firefox
      ? firefoxLauncher()
      : chromeLauncher({ launchOptions: { executablePath: chromium(), args: chromiumFlags } }),
  ],
  middleware: [strictDocument],
  plugins: [
    esbuildPlugin({
      ts: true,
      target: 'esnext',
      tsconfig: fileURLToPath(new URL('../tsconfig.json', import.meta.url)),
    }),
  ],
}
