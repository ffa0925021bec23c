import { type ExecFileSyncOptions, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** What the tests use beyond npm's packages, and what they can do without it. */
const NEEDS = [
  { what: 'Chromium', at: ['/usr/bin/chromium', '/usr/bin/google-chrome'], package: 'chromium' },
  { what: 'Firefox', at: ['/usr/bin/firefox-esr', '/usr/bin/firefox'], package: 'firefox-esr' },
  {
    what: 'the second implementation',
    at: ['/usr/lib/python3/dist-packages/cryptography'],
    package: 'python3-cryptography',
  },
  { what: 'openssl', at: ['/usr/bin/openssl'], package: 'openssl' },
  { what: 'ip', at: ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'], package: 'iproute2' },
  { what: 'nft', at: ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft'], package: 'nftables' },
  { what: 'script', at: ['/usr/bin/script'], package: 'bsdutils' },
  { what: 'a C compiler', at: ['/usr/bin/cc', '/usr/bin/gcc'], package: 'gcc libc6-dev' },
] as const

/**
 * Installs what is missing where that can be done without asking: as root on Debian. Elsewhere it
 * says what to install; the tests that need it then fail and name it.
 */
export function installMissing(): void {
  const missing = NEEDS.filter((need) => !need.at.some(existsSync))
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
