import { LitElement } from './html.ts'

/** What has been added to the document's style sheets already. */
const adopted = new WeakSet<CSSStyleSheet>()

/**
 * The base of all our elements. They render into the page itself, not into a shadow tree: labels
 * and descriptions may then refer across elements, and assistive technology, find-in-page and
 * tests see one document. Each element's styles are nested under its own tag name. They are
 * constructed sheets, which `style-src 'self'` allows, and there are no style attributes.
 */
export class SottoElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    for (const style of (this.constructor as typeof SottoElement).elementStyles) {
      const sheet = style instanceof CSSStyleSheet ? style : style.styleSheet
      if (sheet === undefined || adopted.has(sheet)) continue
      adopted.add(sheet)
      document.adoptedStyleSheets.push(sheet)
    }
    return this
  }
}
