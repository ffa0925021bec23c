import { LitElement } from './html.ts'

/** What takes the keyboard by itself. No text boxes: on a phone those would raise its keys. */
const CONTROLS = 'button:enabled, summary, [tabindex="0"]'

/**
 * The base of all our elements. They render into the page itself, not into a shadow tree: labels
 * and descriptions may then refer across elements, and assistive technology, find-in-page and
 * tests see one document. Each element's styles stand in a file beside it, nested under its tag.
 */
export class SottoElement extends LitElement {
  #place: Place | undefined

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  /** A control that goes away by what it did hands the keyboard on to what stands in its place. */
  protected override performUpdate(): void {
    const at = document.activeElement
    if (at !== null && at !== this && this.contains(at)) this.#place = placeOf(at)
    else if (at !== document.body) this.#place = undefined
    super.performUpdate()
    const place = this.#place
    if (place === undefined) return
    const { control } = place
    // What is busy is disabled, and gets the keyboard back when it is done.
    if (control.isConnected && control.matches(':disabled')) return
    this.#place = undefined
    if (!control.isConnected) standIn(place)?.focus({ preventScroll: true })
    else if (document.activeElement === document.body) control.focus({ preventScroll: true })
  }
}

/** Where a control stands. */
interface Place {
  readonly control: HTMLElement
  /** Itself and what is around it, from the inside out, each with what stands before it. */
  readonly path: readonly (readonly [around: Element, before: Element | null])[]
}

function placeOf(control: Element): Place {
  const path: [Element, Element | null][] = []
  for (let at: Element | null = control; at !== null; at = at.parentElement)
    path.push([at, at.previousElementSibling])
  return { control: control as HTMLElement, path }
}

/** The next control after the place where one has gone, else the last one before it. */
function standIn({ path }: Place): HTMLElement | undefined {
  const left = path.findIndex(([around]) => around.isConnected)
  const [around] = path[left] ?? []
  const [, before] = path[left - 1] ?? []
  if (around === undefined) return undefined
  const mark = before?.isConnected ? before : around
  const all = [...(around.closest('dialog') ?? document).querySelectorAll<HTMLElement>(CONTROLS)]
  const shown = all.filter((one) => one.getClientRects().length > 0)
  const next = shown.findIndex((one) => {
    const where = mark.compareDocumentPosition(one)
    const within = where & Node.DOCUMENT_POSITION_CONTAINED_BY
    return within ? mark === around : where & Node.DOCUMENT_POSITION_FOLLOWING
  })
  const found = shown.at(next) // the last one when there is none
  // Where one is asked whether to go on, the safe answer comes first.
  const safe = found?.matches('.danger') ? found.nextElementSibling : null
  return safe?.matches('button') ? (safe as HTMLElement) : found
}
