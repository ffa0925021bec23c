/**
 * What makes the page's scripts smaller than the minifier alone does. Each step either keeps the
 * meaning or replaces what never runs by a throw: nothing here can make wrong code go on.
 */
import { minify } from 'terser'
import type { Plugin } from 'vite'

/** As much of a syntax tree's node as is read here. */
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

const THROW = '{throw Error()}'

/**
 * Functions, methods and classes of libraries that nothing of ours reaches, by file. They stay as
 * throws. One that is not there any more (a library was updated) fails the build.
 */
const UNREACHED: readonly (readonly [file: RegExp, why: string, names: readonly string[]])[] = [
  [/lit-html\/lit-html\.js$/, 'ui/html.ts reads every template itself', ['V', 'N', 'S', 'Z']],
  [
    /lit-html\/private-ssr-support\.js$/,
    'ui/html.ts takes only the classes of parts',
    ['overrideDirectiveResolve', 'patchDirectiveResolve', 'getAttributePartCommittedValue'],
  ],
  [/reactive-element\/css-tag\.js$/, 'styles are in files of their own', ['S', 'c']],
  [
    /reactive-element\/reactive-element\.js$/,
    'no property is an attribute, no element has controllers',
    [
      'toAttribute',
      'fromAttribute',
      '_$ET',
      '_$AK',
      'addController',
      'removeController',
      'createRenderRoot',
    ],
  ],
  [
    /ts-mls\/dist\/src\/clientState\.js$/,
    'rooms take no proposals by themselves, no other keys, and no requirements',
    ['processProposal', 'makePskIndex', 'capabiltiesAreSupported'],
  ],
  [
    /ts-mls\/dist\/src\/presharedkey\.js$/,
    'rooms have no shared keys: looking one up has failed before',
    ['pskInfoEncoder', 'updatePskSecret'],
  ],
  [/lit-element\/lit-element\.js$/, 'ui/element.ts renders into itself', ['createRenderRoot']],
  [/@noble\/curves\/abstract\/fft\.js$/, 'ML-KEM takes the core alone', ['FFT']],
  [/@noble\/hashes\/sha3\.js$/, 'no hash is copied half-way', ['clone', '_cloneInto']],
]

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

function* nodes(of: unknown): Generator<Node> {
  if (isNode(of)) yield of
  if (typeof of === 'object' && of !== null)
    for (const value of Object.values(of)) yield* nodes(value)
}

function apply(code: string, edits: readonly Edit[]): { code: string; map: null } {
  const last = edits.toSorted((a, b) => b.start - a.start)
  const edited = last.reduce(
    (text, { start, end, text: by }) => text.slice(0, start) + by + text.slice(end),
    code,
  )
  return { code: edited, map: null }
}

/** The declarations of a module, and the members of its classes and objects. */
function declarations(program: Node): Node[] {
  const list = (value: unknown): Node[] => (Array.isArray(value) ? value.filter(isNode) : [])
  const top = list(program.body)
    .map((node) => (isNode(node.declaration) ? node.declaration : node))
    .flatMap((node) => (node.type === 'VariableDeclaration' ? list(node.declarations) : node))
  const members = top
    .flatMap(({ body, init }) => [body, init])
    .filter(isNode)
    .flatMap(({ type, body, properties }) =>
      type === 'BlockStatement' ? [] : [...list(body), ...list(properties)],
    )
  return [...top, ...members]
}

/** What to write instead of a declaration called `name`, or nothing if `node` is another. */
function thrown(node: Node, name: string): Edit | undefined {
  const named = (isNode(node.id) && node.id) || (isNode(node.key) && node.key)
  if (!named || named.name !== name) return undefined
  const { body, init, value } = node
  if (node.type === 'ClassDeclaration' && isNode(body))
    return { ...range(body), text: `{constructor()${THROW}}` }
  if (node.type === 'FunctionDeclaration' && isNode(body)) return { ...range(body), text: THROW }
  const whole = node.type === 'Property' && !node.method ? value : init
  if (isNode(whole) && /Call|Conditional|Arrow|Object/.test(whole.type))
    return { ...range(whole), text: `()=>${THROW}` }
  if (isNode(value) && isNode(value.body)) return { ...range(value.body), text: THROW }
  return undefined
}

function range({ start, end }: Node): { start: number; end: number } {
  return { start, end }
}

export function unreached(): Plugin {
  return {
    name: 'sotto-unreached',
    apply: 'build',
    transform: {
      filter: { id: UNREACHED.map(([file]) => file) },
      handler(code, id) {
        const all = declarations(this.parse(code) as unknown as Node)
        const names = UNREACHED.flatMap(([file, , names]) => (file.test(id) ? names : []))
        const edits = names.map((name) => {
          const [edit, ...more] = all.flatMap((node) => thrown(node, name) ?? [])
          if (edit === undefined || more.length > 0) this.error(`${id}: where is ${name}?`)
          return edit
        })
        return apply(code, edits)
      },
    },
  }
}

/**
 * Leaves out the sentences in errors for developers: those of libraries, which are told apart by
 * their classes' names, and our own RangeErrors. None reaches a person: ours are causes of a
 * SottoError, which has a text of its own.
 */
export function terseErrors(): Plugin {
  return {
    name: 'sotto-terse-errors',
    apply: 'build',
    transform: {
      filter: { id: /node_modules\/(ts-mls|@noble)\/.*\.js$|web\/(protocol|chat)\/.*\.ts$/ },
      handler(code, id) {
        const ours = !id.includes('/node_modules/')
        const edits = [...nodes(this.parse(code))].flatMap((node) => {
          if (node.type !== 'NewExpression' || !isNode(node.callee)) return []
          const { name } = node.callee
          const [first] = node.arguments as Node[]
          const text = first && /^(Literal|TemplateLiteral|BinaryExpression)$/.test(first.type)
          const forDevelopers = ours ? name === 'RangeError' : /Error$/.test(String(name))
          return text && forDevelopers ? { ...range(first), text: "''" } : []
        })
        return apply(code, edits)
      },
    },
  }
}

/** Indentation in `html` templates: a line break says to ui/html.ts what it and blanks do. */
export function tightTemplates(): Plugin {
  return {
    name: 'sotto-tight-templates',
    apply: 'build',
    transform: {
      filter: { id: /web\/ui\/.*\.ts$/ },
      handler(code) {
        const edits = [...nodes(this.parse(code))].flatMap((node) => {
          if (
            node.type !== 'TaggedTemplateExpression' ||
            !isNode(node.tag) ||
            node.tag.name !== 'html'
          )
            return []
          const { quasis } = node.quasi as unknown as { quasis: Node[] }
          return quasis.map((quasi) => ({
            ...range(quasi),
            text: code.slice(quasi.start, quasi.end).replace(/\s*\n\s*/g, '\n'),
          }))
        })
        return apply(code, edits)
      },
    },
  }
}

const MLS = /node_modules\/ts-mls\//
/** Where the values of ts-mls are at home. None of these names a field for the wire or for a store. */
const ROOMS = /web\/protocol\/(room\w*|mls_(hpke|primitives|provider|xwing))\.ts$/

/** Every name that the language's and the platform's own objects have. */
function builtIn(): Set<string> {
  const globals = Object.values(Object.getOwnPropertyDescriptors(globalThis)).map((of) => of.value)
  return new Set(globals.flatMap((of) => [of, of?.prototype].flatMap(ownNames)))
}

function ownNames(of: unknown): string[] {
  return of === null || of === undefined ? [] : Object.getOwnPropertyNames(of)
}

/**
 * The fields of ts-mls's values that can be called anything (1.1 KB gzip): no module outside of
 * rooms has the word, no string is it, and nothing built in goes by it.
 */
function fieldsOfMls(modules: ReadonlyMap<string, string>): RegExp {
  const fields = new Set<string>()
  const taken = builtIn()
  for (const [id, code] of modules) {
    const words = MLS.test(id)
      ? /(?<=["'`])\w+(?=["'`])/g
      : ROOMS.test(id)
        ? /(?<=['`])\w+(?=['`])/g
        : /\w+/g
    for (const word of code.match(words) ?? []) taken.add(word)
    if (MLS.test(id)) for (const word of code.match(/\w{4,}/g) ?? []) fields.add(word)
  }
  return new RegExp(`^(${[...fields].filter((word) => !taken.has(word)).join('|')})$`)
}

/** Joins, inlines and folds what the bundler's own minifier, which comes after, leaves (1.8 KB gzip). */
export function folded(): Plugin {
  return {
    name: 'sotto-folded',
    apply: 'build',
    async renderChunk(code, { moduleIds }) {
      const modules = new Map(
        [...this.getModuleIds()].map((id) => [id, this.getModuleInfo(id)?.code ?? '']),
      )
      const has = (part: RegExp): boolean => moduleIds.some((id) => part.test(id))
      if (has(MLS) !== has(ROOMS)) this.error('Rooms and ts-mls are not in one file any more.')
      const { code: folded } = await minify(code, {
        module: true,
        ecma: 2020,
        mangle: has(MLS) && { properties: { regex: fieldsOfMls(modules) } },
        compress: { passes: 2 },
        format: { comments: 'some' },
      })
      return { code: folded ?? code, map: null }
    },
  }
}
