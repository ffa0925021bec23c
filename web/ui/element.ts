import { LitElement } from './html.ts'

/**
 * The base of all our elements. They render into the page itself, not into a shadow tree: labels
 * and descriptions may then refer across elements, and assistive technology, find-in-page and
 * tests see one document. Each element's styles stand in a file beside it, nested under its tag.
 */
export class SottoElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this
  }
}
