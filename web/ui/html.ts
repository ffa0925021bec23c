/**
 * Lit without `innerHTML`. Lit turns a template into DOM by assigning a string to `innerHTML`,
 * which `trusted-types 'none'` forbids. This `html` tag reads the template's text itself, once, and
 * builds the same DOM with `createElement`; Lit takes the result as a template that was compiled
 * beforehand. Values never pass through here: Lit sets them as text, attributes or properties.
 *
 * The syntax is a strict subset of Lit's: every element is closed, attribute values with blanks are
 * quoted, there are no entities (write the character) and no bindings in tag names or comments. A
 * template outside the subset throws when it is first rendered.
 */
import './trusted_types.ts'
import type { CompiledTemplate, CompiledTemplateResult, ReactiveElement } from 'lit'
import { _$LH } from 'lit-html/private-ssr-support.js'

export type { CompiledTemplateResult as Html } from 'lit'
export { LitElement, nothing } from 'lit'
export { customElement } from 'lit/decorators.js'
export { property as state }

/** A change of it renders the element again. None of ours is an attribute as well. */
export function property(element: ReactiveElement, name: string): void {
  const type = element.constructor as typeof ReactiveElement
  type.createProperty(name, { attribute: false })
}

type Part = CompiledTemplate['parts'][number]
interface Tree {
  readonly element: HTMLTemplateElement
  readonly parts: Part[]
  /** Elements and comments so far: how Lit counts nodes. */
  nodes: number
}

/** Stands for a value while the text is read; templates are ours and never hold it. */
const HOLE = '\ue000'
const ATTRIBUTE_PART = 1
const CHILD_PART = 2
const SVG = 'http://www.w3.org/2000/svg'
const VOID = new Set(['br', 'hr', 'img', 'input', 'wbr'])
const TOKEN =
  /<!--.*?-->|<\/([a-z][\w-]*)\s*>|<([a-z][\w-]*)((?:\s+[^\s=>/"']+(?:="[^"]*"|=[^\s>"'/]+)?)*)\s*(\/?)>|[^<]+|</gis
const ATTRIBUTE = /\s+([^\s=>/"']+)(?:="([^"]*)"|=([^\s>"'/]+))?/g

const compiled = new WeakMap<TemplateStringsArray, CompiledTemplate>()

/** Lit's `html`, as far as the head of this file says. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): CompiledTemplateResult {
  let template = compiled.get(strings)
  if (template === undefined) {
    template = compile(strings)
    compiled.set(strings, template)
  }
  return { _$litType$: template, values }
}

/** Throws SyntaxError when the template is outside the subset. */
function compile(strings: TemplateStringsArray): CompiledTemplate {
  const tree: Tree = { element: document.createElement('template'), parts: [], nodes: 0 }
  const open: (Element | DocumentFragment)[] = [tree.element.content]
  for (const token of strings.join(HOLE).matchAll(TOKEN)) {
    const [text, closes, opens, attributes = '', selfClosed] = token
    const parent = open.at(-1) as Element | DocumentFragment
    if (closes !== undefined) {
      if (open.length < 2 || (parent as Element).localName !== closes) throw misread(strings, text)
      open.pop()
    } else if (opens !== undefined) {
      const element = appendElement(tree, parent, opens)
      setAttributes(tree, element, attributes)
      if (selfClosed !== '/' && !VOID.has(opens)) open.push(element)
    } else if (text === '<') throw misread(strings, text)
    else if (!text.startsWith('<!--')) appendText(tree, parent, text)
  }
  if (open.length !== 1) throw misread(strings, (open.at(-1) as Element).localName)
  // A value at the very end needs a node behind it: without one Lit takes all that comes after the
  // template, as in a list, for a part of the value.
  if (strings.at(-1)?.trim() === '') tree.element.content.append(new Comment())
  return { h: strings, el: tree.element, parts: tree.parts }
}

/** The template's own document is inert: custom elements in it are not started. */
function appendElement(tree: Tree, parent: Element | DocumentFragment, name: string): Element {
  const inSvg = name === 'svg' || ('namespaceURI' in parent && parent.namespaceURI === SVG)
  const owner = tree.element.content.ownerDocument
  const element = inSvg ? owner.createElementNS(SVG, name) : owner.createElement(name)
  parent.appendChild(element)
  tree.nodes++
  return element
}

function setAttributes(tree: Tree, element: Element, text: string): void {
  for (const [, name = '', quoted, bare] of text.matchAll(ATTRIBUTE)) {
    const value = quoted ?? bare ?? ''
    const pieces = value.split(HOLE)
    if (pieces.length === 1) element.setAttribute(name, value)
    else tree.parts.push(attributePart(tree.nodes - 1, name, pieces))
  }
}

function attributePart(index: number, name: string, strings: string[]): Part {
  const bare = name.slice(1)
  const part = { type: ATTRIBUTE_PART, index, strings } as const
  if (name.startsWith('.')) return { ...part, name: bare, ctor: _$LH.PropertyPart }
  if (name.startsWith('?')) return { ...part, name: bare, ctor: _$LH.BooleanAttributePart }
  if (name.startsWith('@')) return { ...part, name: bare, ctor: _$LH.EventPart }
  return { ...part, name, ctor: _$LH.AttributePart }
}

/** Indentation is no content: blanks with a line break in them go, or become one blank. */
function appendText(tree: Tree, parent: Element | DocumentFragment, text: string): void {
  const owner = tree.element.content.ownerDocument
  text.split(HOLE).forEach((piece, i) => {
    if (i > 0) {
      parent.appendChild(owner.createComment(''))
      tree.parts.push({ type: CHILD_PART, index: tree.nodes++ })
    }
    const words = /^\s*\n\s*$/.test(piece) ? '' : piece.replace(/\s*\n\s*/g, ' ')
    if (words !== '') parent.appendChild(owner.createTextNode(words))
  })
}

function misread(strings: TemplateStringsArray, near: string): SyntaxError {
  return new SyntaxError(`template can't be read near "${near}": ${strings.join('…')}`)
}
