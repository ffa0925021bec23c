import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readQr } from '../support/read_qr.ts'
import { type Stack, startStack } from '../support/stack.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import { Browser, type Tab } from '../support/tabs.ts'

const PASSPHRASE = 'correct horse battery staple'

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** SHA-256 of a key file's public part, as openssl computes it. */
function fingerprintOf(file: string, passphrase?: string): string {
  const pass = passphrase === undefined ? [] : ['-passin', `pass:${passphrase}`]
  const der = execFileSync('openssl', ['pkey', '-in', file, ...pass, '-pubout', '-outform', 'DER'])
  return execFileSync('openssl', ['dgst', '-sha256', '-r'], { input: der, encoding: 'utf8' }).slice(
    0,
    64,
  )
}

describe('the identity panel', () => {
  let stack: Stack
  let browser: Browser
  let directory: string

  before(async () => {
    stack = await startStack()
    browser = await Browser.start()
    directory = await mkdtemp(join(tmpdir(), 'sotto-identity-'))
  })
  after(async () => {
    await browser?.close()
    await stack?.stop()
    if (directory) await rm(directory, { recursive: true, force: true })
  })

  /** The fingerprint on the screen, without the spaces that make it readable. */
  async function shownFingerprint(tab: Tab): Promise<string> {
    const text = await tab.page.locator('body').innerText()
    const all = [...text.matchAll(/(?:[0-9a-f]{4}[ \n]){15}[0-9a-f]{4}/gi)]
    return (all[0]?.[0] ?? '').replace(/\s/g, '').toLowerCase()
  }

  async function importFile(tab: Tab, file: string, passphrase: string): Promise<void> {
    await tab.page.getByRole('textbox', { name: 'Passphrase' }).fill(passphrase)
    const chooser = tab.page.waitForEvent('filechooser')
    await tab.page.getByRole('button', { name: 'Import' }).click()
    await (await chooser).setFiles(file)
  }

  it('shows the fingerprint as a QR code that another reader reads', async () => {
    const tab = await browser.join(stack.pageUrl, 'quinn')
    await tab.openPanel('Identity')
    const shown = await shownFingerprint(tab)
    await tab.press('Show QR code')
    const code = tab.page.getByRole('img', { name: 'QR code of your fingerprint' })
    const [, , side] = ((await code.getAttribute('viewBox')) ?? '').split(' ')
    const path = await code.locator('path').last().getAttribute('d')
    assert.equal(readQr(path ?? '', Number(side)), `sotto:${shown}`)
    assert.deepEqual(tab.complaints, [])
    await tab.page.close()
  })

  it('exports a key that openssl opens with the passphrase, and with no other', async () => {
    const tab = await browser.join(stack.pageUrl, 'erin')
    await tab.openPanel('Identity')
    await tab.page.getByRole('textbox', { name: 'Passphrase' }).fill(PASSPHRASE)
    const download = tab.page.waitForEvent('download')
    await tab.page.getByRole('button', { name: 'Export' }).click()
    const file = join(directory, 'erin.pem')
    await (await download).saveAs(file)
    assert.match(await readFile(file, 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    assert.throws(() => openssl('pkey', '-in', file, '-passin', 'pass:wrong', '-noout'))
    assert.equal(fingerprintOf(file, PASSPHRASE), await shownFingerprint(tab))
    await tab.page.close()
  })

  it('imports what openssl makes, encrypted or not; a wrong passphrase says so and harms nothing', async () => {
    const plain = join(directory, 'plain.pem')
    const sealed = join(directory, 'sealed.pem')
    openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072', '-out', plain)
    openssl(
      'genpkey',
      '-algorithm',
      'RSA',
      '-pkeyopt',
      'rsa_keygen_bits:3072',
      '-aes-256-cbc',
      '-pass',
      `pass:${PASSPHRASE}`,
      '-out',
      sealed,
    )

    const tab = await browser.join(stack.pageUrl, 'frank')
    await tab.openPanel('Identity')
    const own = await shownFingerprint(tab)
    assert.lengthOf(own, 64)

    await importFile(tab, sealed, 'not the passphrase')
    await tab.page
      .getByText(/passphrase (is wrong|does not|doesn.t)|wrong passphrase/i)
      .first()
      .waitFor()
    assert.equal(await shownFingerprint(tab), own)
    await tab.page.close()

    for (const [file, passphrase, name] of [
      [plain, '', 'grace'],
      [sealed, PASSPHRASE, 'heidi'],
    ] as const) {
      const fresh = await browser.open(stack.pageUrl)
      await fresh.start(name)
      await fresh.online()
      await fresh.openPanel('Identity')
      await importFile(fresh, file, passphrase)
      const confirm = fresh.page.getByRole('button', {
        name: /use this (identity|key)|replace|continue/i,
      })
      await confirm.click()
      await fresh.online()
      await fresh.openPanel('Identity')
      assert.equal(await shownFingerprint(fresh), fingerprintOf(file, passphrase || undefined))
      await fresh.page.close()
    }
  })

  it('keeps the key of a file when a name is refused, at the door and in the panel', async () => {
    const files = ['carol', 'dora'].map((name) => join(directory, `${name}.pem`))
    const [carol = '', dora = ''] = files
    for (const file of files)
      openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072', '-out', file)
    const elsewhere = await Browser.start()
    const tab = await elsewhere.open(stack.pageUrl)
    /** Is told that erin is somebody else's name, and has but to type another. */
    async function comesInAs(name: string, file: string): Promise<void> {
      await tab.says('The server did not accept you as erin with this key.')
      await tab.says('The key was read.')
      await tab.start(name)
      await tab.online()
      await tab.openPanel('Identity')
      assert.equal(await shownFingerprint(tab), fingerprintOf(file))
    }
    try {
      await tab.readKey(carol, '')
      await tab.start('erin')
      await comesInAs('carol', carol)
      await importFile(tab, dora, '')
      await tab.page.getByRole('textbox', { name: 'Whose key is it?' }).fill('erin')
      await tab.press('Use this key')
      await comesInAs('dora', dora)
      // Nothing is left of the name by which nobody ever came in.
      const next = await elsewhere.open(stack.pageUrl)
      await next.says('dora is open in another tab')
      assert.notInclude(await next.page.locator('body').innerText(), 'erin')
    } finally {
      await elsewhere.close()
    }
  })
})
