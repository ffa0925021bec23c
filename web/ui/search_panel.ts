import type { ChatModel, RoomView, SearchHit, SearchPage, SearchPlace } from '../chat/model.ts'
import { ShowMessageEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { SidePanel } from './side_panel.ts'
import { clock, day, said } from './words.ts'

/** Typing has paused so long (ms) before it is searched for. */
const PAUSE = 120

/** Full-text search through everything that this device keeps. Nothing of it leaves the page. */
@customElement('search-panel')
export class SearchPanel extends SidePanel {
  @property model: ChatModel | undefined
  @property rooms: readonly RoomView[] = []
  @state private hits: readonly SearchHit[] = []
  @state private more: SearchPlace | undefined
  @state private words = ''
  @state private problem = ''
  @state private searched = ''
  #abort = new AbortController()
  #timer: ReturnType<typeof setTimeout> | undefined

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearTimeout(this.#timer)
    this.#abort.abort()
  }

  protected override heading(): string {
    return 'Search'
  }

  protected override body(): Html {
    return html`
      <div class="field">
        <label for="words">Words to find</label>
        <input id="words" type="search" autofocus autocomplete="off" spellcheck="false" maxlength="200" aria-describedby="words-help" @input=${this.#onInput}>
        <p class="soft small" id="words-help">In all conversations on this device. What you type here stays here.</p>
      </div>
      <p class="problem" role="alert">${this.problem}</p>
      <p class="soft small" role="status" aria-label="Results">${this.#summary()}</p>
      <ol role="list" aria-label="Found">${this.hits.map((hit) => this.#renderHit(hit))}</ol>
      ${this.more ? html`<button class="button" type="button" @click=${this.#goOn}>Older ones</button>` : nothing}
    `
  }

  #renderHit(hit: SearchHit): Html {
    const room = this.rooms.find((one) => one.room === hit.room)
    return html`<li>
      <button class="hit" type="button" @click=${() => this.#show(hit)}>
        <span class="head"><b><bdi>${hit.from}</bdi></b> <span class="soft small">in <bdi>${room?.title ?? 'a conversation'}</bdi>, ${day(hit.at, Date.now())} ${clock(hit.at)}</span></span>
        <span class="snippet" dir="auto">${marked(hit)}</span>
      </button>
    </li>`
  }

  #summary(): string {
    if (this.words.trim() === '' || this.searched !== this.words) return ''
    if (this.hits.length === 0) return 'Nothing was found.'
    return `${this.hits.length}${this.more ? ' or more' : ''} found, newest first.`
  }

  #show(hit: SearchHit): void {
    this.closePanel()
    this.dispatchEvent(new ShowMessageEvent(hit))
  }

  #onInput(event: InputEvent): void {
    this.words = (event.target as HTMLInputElement).value
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#search(undefined), PAUSE)
  }

  #goOn(): void {
    void this.#search(this.more)
  }

  async #search(after: SearchPlace | undefined): Promise<void> {
    this.#abort.abort()
    this.#abort = new AbortController()
    const { signal } = this.#abort
    const { words } = this
    const none: SearchPage = { hits: [], more: undefined }
    try {
      const page = words.trim() === '' ? none : await this.model?.search(words, { after, signal })
      if (signal.aborted || page === undefined) return
      this.hits = after === undefined ? page.hits : [...this.hits, ...page.hits]
      this.more = page.more
      this.searched = words
      this.problem = ''
    } catch (error) {
      if (!signal.aborted) this.problem = said(error)
    }
  }
}

/** The snippet with its matches marked, all of it as text. */
function marked({ snippet, ranges }: SearchHit): (string | Html)[] {
  const parts: (string | Html)[] = []
  let end = 0
  for (const [from, to] of ranges) {
    parts.push(snippet.slice(end, from), html`<mark>${snippet.slice(from, to)}</mark>`)
    end = to
  }
  return [...parts, snippet.slice(end)]
}

declare global {
  interface HTMLElementTagNameMap {
    'search-panel': SearchPanel
  }
}
