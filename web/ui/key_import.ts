/** Choosing a key file and reading it, the same on the first screen and in the identity panel. */
import { SottoError } from '../protocol/errors.ts'
import type { Door, KeyFile } from './door.ts'
import { type Html, html } from './html.ts'

/** A private key in PEM is a few kilobytes; anything far larger is no key. */
const LARGEST = 64 * 1024

export interface ReadFile {
  readonly key: KeyFile
  /** The name that our own export wrote into the file's name, or empty. */
  readonly name: string
}

/** Rejects with SottoError. */
export async function readKeyFile(
  file: File,
  passphrase: string,
  readKey: Door['readKey'],
): Promise<ReadFile> {
  if (file.size > LARGEST)
    throw new SottoError(
      'bad_key',
      'This file is too large to be a key. Choose the PEM file that was exported.',
    )
  const key = await readKey(await file.text(), passphrase)
  const name = /^sotto-(.+?)(?: ?\(\d+\))?\.pem$/i.exec(file.name)?.[1] ?? ''
  return { key, name: name.replaceAll('_', ' ') }
}

/**
 * The box for a key file's passphrase. It opens no account, so that no password manager is to keep
 * or fill it. `help` is rendered below it.
 */
export function passphraseField(id: string, about: string, problem: string, help?: Html): Html {
  return html`<div class="field">
    <label for=${id}>Passphrase</label>
    <input id=${id} class="secret" type="text" autocomplete="off" autocapitalize="none" autocorrect="off" spellcheck="false"
      maxlength="1024" aria-describedby=${about} aria-invalid=${problem === '' ? 'false' : 'true'}>
    <label class="reveal"><input type="checkbox" @change=${reveal}> Show what I type</label>
    ${help}
  </div>`
}

function reveal({ target }: Event): void {
  const box = target as HTMLInputElement
  box.closest('.field')?.querySelector('[maxlength]')?.classList.toggle('secret', !box.checked)
}
