import { render } from 'lit'
import { html } from '../../web/ui/html.ts'
import { assert, describe, it } from '../support/suite.ts'

function draw(template: unknown): HTMLElement {
  const box = document.createElement('div')
  render(template, box)
  return box
}

/** The DOM without Lit's comments. */
function markup(box: HTMLElement): string {
  return box.innerHTML.replace(/<!--.*?-->/g, '')
}

describe('a template that is built without markup strings', () => {
  it('puts text, attributes, properties, booleans and listeners where Lit puts them', () => {
    let clicks = 0
    const box = draw(html`
      <p class="a ${'b'} c" id=${'x'} ?hidden=${true} .title=${'t'} @click=${() => clicks++}>
        Hello ${'you'}!
        <input .value=${'v'} ?disabled=${false} type="text">
      </p>
    `)
    const p = box.querySelector('p') as HTMLElement
    p.click()
    assert.equal(
      markup(box),
      '<p class="a b c" id="x" hidden="" title="t"> Hello you! <input type="text"></p>',
    )
    assert.equal(box.querySelector('input')?.value, 'v')
    assert.equal(clicks, 1)
  })

  it('nests, repeats and changes as values change', () => {
    const list = (items: readonly string[]) =>
      html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`
    const box = document.createElement('div')
    render(list(['a', 'b']), box)
    const first = box.querySelector('li')
    render(list(['c']), box)
    assert.equal(markup(box), '<ul><li>c</li></ul>')
    assert.equal(box.querySelector('li'), first)
  })

  it('that ends with a value leaves what comes after it in place when the value changes', () => {
    const row = (value: unknown) => html`
      ${value}
    `
    const list = (...values: unknown[]) => html`<div>${values.map(row)}</div>`
    const box = document.createElement('div')
    render(list('a', 'b', 'c'), box)
    render(list(html`<i>a</i>`, 'b', html`<i>c</i>`), box)
    assert.equal(markup(box), '<div><i>a</i>b<i>c</i></div>')
    render(list('c', 'b'), box)
    assert.equal(markup(box), '<div>cb</div>')
  })

  it('makes pictures in the SVG namespace and keeps the case of their attributes', () => {
    const box = draw(html`<svg viewBox="0 0 2 2"><path d=${'M0 0'}/></svg><b>after</b>`)
    assert.equal(box.querySelector('path')?.namespaceURI, 'http://www.w3.org/2000/svg')
    assert.equal(box.querySelector('svg')?.getAttribute('viewBox'), '0 0 2 2')
    assert.equal(box.querySelector('b')?.namespaceURI, 'http://www.w3.org/1999/xhtml')
  })

  it('starts custom elements in the document only', () => {
    let started = 0
    customElements.define(
      'starts-once',
      class extends HTMLElement {
        constructor() {
          super()
          started++
        }
      },
    )
    const box = document.createElement('div')
    document.body.append(box)
    render(html`<starts-once></starts-once>`, box)
    box.remove()
    assert.equal(started, 1)
  })

  it('sets a value that looks like markup as text', () => {
    const evil = '<img src=x onerror=alert(1)>'
    const box = draw(html`<p title=${evil}>${evil}</p>`)
    assert.equal(box.querySelector('img'), null)
    assert.equal(box.querySelector('p')?.textContent, evil)
    assert.equal(box.querySelector('p')?.title, evil)
  })

  it('is refused when an element is not closed, or closed twice', () => {
    assert.throws(() => html`<p><b>x</p>`, SyntaxError)
    assert.throws(() => html`<p>x</p></p>`, SyntaxError)
    assert.throws(() => html`<p>x`, SyntaxError)
    assert.throws(() => html`a < b`, SyntaxError)
  })
})
