import type { PersonView, Trust } from '../chat/model.ts'
import { moveWithArrows } from './arrow_keys.ts'
import './copy_button.ts'
import { SottoElement } from './element.ts'
import { OpenPrivateEvent } from './events.ts'
import { customElement, type Html, html, nothing, property, state } from './html.ts'
import { hue, initial, plural } from './words.ts'

/** So many are drawn; the rest is found by typing. */
const DRAWN = 200
/** From so many people on there is a box to find one. */
const MANY = 12

export const TRUST: Record<Trust, string> = {
  pinned: 'Not verified yet',
  verified: 'Verified by you',
  changed: 'Key has changed',
}

/** Everyone whom the endpoint told of. A person is a button that opens a private conversation. */
@customElement('people-list')
export class PeopleList extends SottoElement {
  @property people: readonly PersonView[] = []
  /** Without a connection nobody's presence is known. */
  @property connected = true
  /** The link that brings somebody here. */
  @property invitation = ''
  @state private wanted = ''

  protected override willUpdate(): void {
    // Without its box a name that was looked for would hide people unseen.
    if (this.people.length <= MANY) this.wanted = ''
  }

  override render(): Html {
    const wanted = this.wanted.trim().toLowerCase()
    const found = this.people.filter(({ user }) => user.toLowerCase().includes(wanted))
    const online = this.people.filter((person) => person.online).length
    const count = this.connected ? `${online} online of ${this.people.length}` : ''
    const first = found.find(({ me }) => !me)
    return html`
      <h2 id="people-title">People</h2>
      <p class="count soft small">${count}</p>
      ${this.people.length > MANY ? this.#renderFind(found.length === 0) : nothing}
      <ul role="list" aria-labelledby="people-title" @keydown=${moveWithArrows}>
        ${found.slice(0, DRAWN).map((person) => this.#renderPerson(person, person === first))}
      </ul>
      ${found.length > DRAWN ? html`<p class="rest soft small">and ${plural(found.length - DRAWN, 'more person', 'more people')}</p>` : nothing}
      ${this.people.length > 1 ? html`<copy-button .text=${this.invitation} .label=${'Copy invitation link'}></copy-button>` : nothing}
    `
  }

  #renderFind(nobody: boolean): Html {
    return html`<input class="find" type="search" aria-label="Find somebody" placeholder="Find somebody"
      autocomplete="off" .value=${this.wanted}
      @input=${(event: InputEvent) => {
        this.wanted = (event.target as HTMLInputElement).value
      }}>
      <p class="nobody soft small" role="status">${nobody ? 'Nobody by that name.' : ''}</p>`
  }

  #renderPerson(person: PersonView, tabStop: boolean): Html {
    const { user, me, online, trust } = person
    const state = online ? 'online' : 'away'
    const presence = online ? 'Online' : 'Away'
    const words = [this.connected ? presence : '', trust === 'pinned' ? '' : TRUST[trust]]
    return html`<li>
      <button class="entry ${state}" type="button" ?disabled=${me} data-stop=${me ? nothing : ''}
        tabindex=${tabStop ? '0' : '-1'}
        @click=${() => this.dispatchEvent(new OpenPrivateEvent(user))}>
        <span class="avatar ${hue(user)}" aria-hidden="true">${initial(user)}</span>
        <span class="words">
          <span class="name"><bdi class="title">${user}</bdi>${me ? html`<span class="soft"> (you)</span>` : nothing}</span>
          <span class="below ${trust === 'changed' ? 'problem' : ''}">${words.filter(Boolean).join('. ')}</span>
        </span>
      </button>
    </li>`
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'people-list': PeopleList
  }
}
