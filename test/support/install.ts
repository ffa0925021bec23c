import { type ExecFileSyncOptions, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { placeOf } from './places.ts'

/** What the tests use beyond npm's packages, and what they can do without it. */
const NEEDS = [
  { what: 'Chromium', at: 'chromium', package: 'chromium' },
  { what: 'Firefox', at: 'firefox', package: 'firefox-esr' },
  { what: 'the second implementation', at: 'cryptography', package: 'python3-cryptography' },
  { what: 'openssl', at: 'openssl', package: 'openssl' },
  { what: 'ip', at: 'ip', package: 'iproute2' },
  { what: 'nft', at: 'nft', package: 'nftables' },
  { what: 'script', at: 'script', package: 'bsdutils' },
  { what: 'a C compiler', at: 'cc', package: 'gcc libc6-dev' },
] as const

/**
 * Installs what is missing where that can be done without asking: as root on Debian. Elsewhere it
 * says what to install; the tests that need it then fail and name it.
 */
export function installMissing(): void {
  const missing = NEEDS.filter(({ at }) => placeOf(at) === undefined)
  if (missing.length === 0) return
  const packages = missing.flatMap((need) => need.package.split(' '))
  const canInstall = existsSync('/usr/bin/apt-get') && process.getuid?.() === 0
  if (!canInstall) {
    console.log(
      `Missing: ${missing.map((need) => need.what).join(', ')} (on Debian: apt-get install ${packages.join(' ')})`,
    )
    return
  }
  console.log(`Installing ${packages.join(', ')}`)
  const options: ExecFileSyncOptions = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }
  execFileSync('apt-get', ['update', '-qq'], options)
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options)
}
