/** Puts the page's app element over a scripted chat into the document of a browser test. */
import '../../web/ui/chat_app.ts'
import type { ChatApp } from '../../web/ui/chat_app.ts'
import { ScriptedChat, ScriptedDoor } from './scripted_chat.ts'

export interface ScriptedPage {
  readonly app: ChatApp
  readonly chat: ScriptedChat
  readonly door: ScriptedDoor
}

async function styled(): Promise<void> {
  if (document.querySelector('link[href$="style.css"]')) return
  const link = document.createElement('link')
  link.rel = 'stylesheet'
  link.href = '/web/ui/style.css'
  const loaded = new Promise((resolve, reject) => {
    link.onload = resolve
    link.onerror = reject
  })
  document.head.append(link)
  await loaded
}

/** The first screen. */
export async function atTheDoor(door = new ScriptedDoor()): Promise<ScriptedPage> {
  await styled()
  document.querySelector('sotto-app')?.remove()
  // How deep the page before this one was is its own: going back from there would be taken for the person's.
  history.replaceState(null, '')
  const app = document.createElement('sotto-app')
  app.door = door
  document.body.append(app)
  await until(() => app.querySelector('welcome-screen, chat-screen'))
  return { app, chat: door.chat, door }
}

/** The chat, as somebody who has come in. */
export async function inTheChat(chat = new ScriptedChat()): Promise<ScriptedPage> {
  const door = new ScriptedDoor(chat)
  door.resumes = true
  const page = await atTheDoor(door)
  await until(() => page.app.querySelector('message-form textarea, chat-screen .nothing'))
  return page
}

/** Milliseconds that anything on the page may take, on a busy machine too. */
const PATIENCE = 10_000

/** What `look` finds, as soon as it finds something: it looks again at every frame. */
export function until<T>(look: () => T | null | undefined | false): Promise<T> {
  const end = performance.now() + PATIENCE
  return new Promise((resolve, reject) => {
    const check = (): void => {
      const found = look()
      if (found) resolve(found)
      else if (performance.now() > end) reject(new Error(`never came true: ${look}`))
      else requestAnimationFrame(check)
    }
    check()
  })
}

/** Two frames: everything that the page draws because of a change has been drawn. */
export async function drawn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => requestAnimationFrame(resolve))
}

/** The one element that matches. Throws when there is none. */
export function one<T extends HTMLElement = HTMLElement>(
  selector: string,
  within: ParentNode = document,
): T {
  const found = within.querySelector<T>(selector)
  if (found === null) throw new Error(`there is no ${selector}`)
  return found
}

/** The button whose accessible name, given or by its text, is this one. */
export function button(name: string, within: ParentNode = document): HTMLButtonElement {
  for (const found of within.querySelectorAll('button')) {
    const words = found.getAttribute('aria-label') ?? found.textContent ?? ''
    if (words.replace(/\s+/g, ' ').trim() === name) return found
  }
  throw new Error(`there is no button ${name}`)
}

/** Types into a box as a person does, as far as the page can tell. */
export async function type(
  box: HTMLInputElement | HTMLTextAreaElement,
  text: string,
): Promise<void> {
  box.value = text
  box.dispatchEvent(new InputEvent('input', { bubbles: true }))
  await drawn()
}

/** The next file that the page hands to the browser to save. */
export function nextDownload(): Promise<{ name: string; text: string }> {
  return new Promise((resolve, reject) => {
    const { click } = HTMLAnchorElement.prototype
    HTMLAnchorElement.prototype.click = function () {
      HTMLAnchorElement.prototype.click = click
      const name = this.download
      fetch(this.href)
        .then((file) => file.text())
        .then((text) => resolve({ name, text }), reject)
    }
  })
}
