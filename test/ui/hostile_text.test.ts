import type { MessageId } from '../../web/chat/model.ts'
import type { ProfileView } from '../../web/ui/door.ts'
import { NOON, privateRoom } from '../support/scripted_chat.ts'
import { strictFrame } from '../support/strict_frame.ts'
import { after, assert, before, describe, it } from '../support/suite.ts'
import type { StrictPage } from './strict_page.ts'

/** Markup that runs something if anything in it is ever taken as markup. */
const VECTORS = [
  '<script>alert(1)</script>',
  '<script src=https://evil.example/x.js></script>',
  '<img src=x onerror=alert(1)>',
  '<img src=x onerror="alert`1`">',
  '<IMG """><SCRIPT>alert(1)</SCRIPT>">',
  '<svg onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x"/></svg>',
  '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
  '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>',
  '<math href="javascript:alert(1)">x</math>',
  '<body onload=alert(1)>',
  '<iframe src="javascript:alert(1)"></iframe>',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<object data="javascript:alert(1)"></object>',
  '<embed src="javascript:alert(1)">',
  '<a href="javascript:alert(1)" autofocus onfocus=alert(1)>x</a>',
  '<details open ontoggle=alert(1)>x</details>',
  '<video><source onerror=alert(1)></video>',
  '<audio src=x onerror=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<select autofocus onfocus=alert(1)>',
  '<textarea autofocus onfocus=alert(1)>',
  '<marquee onstart=alert(1)>x</marquee>',
  '<form action="javascript:alert(1)"><button>x</button></form>',
  '<button formaction="javascript:alert(1)">x</button>',
  '<isindex type=image src=1 onerror=alert(1)>',
  '<link rel=stylesheet href="https://evil.example/x.css">',
  '<style>@import "https://evil.example/x.css";</style>',
  '<meta http-equiv=refresh content="0;url=javascript:alert(1)">',
  '<base href="https://evil.example/">',
  '<template><script>alert(1)</script></template>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<xss id=x tabindex=1 onactivate=alert(1)></xss>',
  '<p style="background:url(javascript:alert(1))">x</p>',
  '<x onclick=alert(1) style=position:fixed;inset:0>x</x>',
  '<dialog open onclose=alert(1)><form method=dialog></form></dialog>',
  '<div popover id=p onbeforetoggle=alert(1)>x</div>',
  '<?lit$123456789$><img src=x onerror=alert(1)>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a template's syntax is what it attacks
  '${alert(1)}',
  '{{constructor.constructor("alert(1)")()}}',
  'javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'https://x.example/"onmouseover="alert(1)',
  "https://x.example/'onmouseover='alert(1)",
  'https://x.example/<img src=x onerror=alert(1)>',
  '&lt;img src=x onerror=alert(1)&gt;',
  '&#60;script&#62;alert(1)&#60;/script&#62;',
  '\u202e>tpircs/<)1(trela>tpircs<',
] as const

/** What closes the places in which text could stand. */
const OPENERS = [
  '',
  '">',
  "'>",
  '--!>',
  '</p></bdi></textarea></title></script></style>',
  '\u0000`}]]>',
] as const

const PAYLOADS = VECTORS.flatMap((vector) => OPENERS.map((opener) => opener + vector))

describe('text that strangers choose', () => {
  let page: StrictPage
  let frame: Awaited<ReturnType<typeof strictFrame>>
  const ran: string[] = []

  before(async () => {
    frame = await strictFrame('/test/ui/strict_page.ts')
    page = (frame.window as unknown as { page: StrictPage }).page
    const run = (name: string) => () => {
      ran.push(name)
      return null
    }
    Object.assign(frame.window, {
      alert: run('alert'),
      confirm: run('confirm'),
      prompt: run('prompt'),
    })
  })
  after(() => frame.remove())

  const settled = (): Promise<void> =>
    page.app.updateComplete.then(() => new Promise((r) => setTimeout(r)))

  /** Puts the text wherever somebody else's words can stand. */
  async function fill(text: string, round: number): Promise<void> {
    const { chat, LOBBY } = page
    const reader = {
      user: text,
      fingerprint: text,
      devices: 1,
      me: false,
      trust: 'changed',
    } as const
    const room = privateRoom('mallory')
    const steps = page.HANDSHAKE_STEPS.slice(0, 1).map((step) => ({
      ...step,
      name: text,
      proves: text,
      fields: [{ name: text, value: text, bytes: 1 }],
    }))
    const lobby = chat.state.rooms.find((one) => one.room === LOBBY)
    if (lobby === undefined) throw new Error('no lobby')
    chat.set({
      people: [{ user: text, fingerprint: text, online: true, me: false, trust: 'changed', room }],
      rooms: [
        { ...lobby, title: text, readers: [reader], crypto: text, text, phase: 'repairing' },
        { ...lobby, room, kind: 'private', title: text, readers: [reader] },
      ],
      connection: { phase: 'offline', text, retryAt: undefined },
      notices: [
        {
          id: 'n',
          kind: 'mitm',
          title: text,
          seen: text,
          advice: text,
          blocking: false,
          choices: [],
        },
      ],
      handshake: { mode: 'full', done: true, ms: 1, steps, transcript: text },
    })
    chat.clear(LOBBY)
    chat.put(
      LOBBY,
      { kind: 'system', id: `s${round}`, text, at: NOON },
      chat.message({ from: text, text, mine: false, state: 'received' }),
      chat.message({
        from: 'alice',
        text,
        mine: true,
        state: 'failed',
        reason: text,
        id: text as MessageId,
      }),
    )
    await settled()
  }

  /** How often each element occurs, but links, which are looked at one by one. */
  function shape(): string {
    const counts = new Map<string, number>()
    for (const { localName } of frame.document.querySelectorAll('body *:not(a)'))
      counts.set(localName, (counts.get(localName) ?? 0) + 1)
    return JSON.stringify([...counts].sort())
  }

  it(`stays text: ${PAYLOADS.length} payloads in every place, with no element, dialog or report`, async () => {
    assert.isAtLeast(PAYLOADS.length, 300)
    for (const panel of ['handshake', 'identity'] as const) {
      const label = panel === 'handshake' ? 'Handshake' : 'Identity'
      frame.document.querySelector<HTMLElement>(`button[aria-label=${label}]`)?.click()
      await fill('harmless', 0)
      const expected = shape()
      for (const [i, payload] of PAYLOADS.entries()) {
        // The identity panel holds few foreign words: a sample of the places that it has.
        if (panel === 'identity' && i % 10 !== 0) continue
        if (panel === 'identity')
          page.chat.set({ me: { ...page.chat.state.me, user: payload, fingerprint: payload } })
        await fill(payload, i)
        assert.equal(shape(), expected, payload)
        const message = frame.document.querySelector('.message.theirs .text')
        assert.equal(message?.textContent, payload)
        for (const link of frame.document.querySelectorAll<HTMLAnchorElement>('.text a')) {
          assert.match(link.href, /^https?:\/\//)
          assert.equal(link.rel, 'noopener noreferrer')
          assert.lengthOf([...link.attributes], 4)
        }
      }
      frame.document.querySelector<HTMLElement>('dialog.panel button[aria-label=Close]')?.click()
      await settled()
    }
    assert.deepEqual(ran, [])
    assert.deepEqual(frame.violations, [])
    assert.equal(frame.document.title, 'Sotto')
  })

  it('stays text in what blocks the page, and on the first screen', async () => {
    const { chat, app, door } = page
    let elements: number | undefined
    for (const payload of ['harmless', ...PAYLOADS.filter((_, i) => i % 7 === 0)]) {
      chat.set({ notices: [] })
      chat.notify({
        kind: 'mitm',
        title: payload,
        seen: payload,
        advice: payload,
        blocking: true,
        choices: [{ choice: payload, label: payload, danger: true }],
      })
      await settled()
      const dialog = frame.document.querySelector('notice-dialog dialog')
      assert.equal(dialog?.querySelector('h2')?.textContent, payload)
      elements ??= dialog?.querySelectorAll('*').length
      assert.equal(dialog?.querySelectorAll('*').length, elements)
    }
    chat.set({ notices: [] })
    door.known = PAYLOADS.map((user, i): ProfileView => ({ id: `${i}`, user, state: 'held' }))
    door.lose()
    await settled()
    await settled()
    const known = frame.document.querySelectorAll('welcome-screen .who bdi')
    assert.deepEqual(
      [...known].map((name) => name.textContent),
      PAYLOADS,
    )
    assert.isNull(
      frame.document.querySelector('script[src*=evil], img, iframe, [onerror], [onload]'),
    )
    assert.isFalse(app.hidden)
    assert.deepEqual(ran, [])
    assert.deepEqual(frame.violations, [])
  })

  it('could not become markup even by mistake: a canary throws, and is reported', async () => {
    const canary = frame.document.createElement('div')
    const reported = new Promise((resolve) =>
      frame.document.addEventListener('securitypolicyviolation', resolve, { once: true }),
    )
    // Chromium's words, and Firefox's.
    assert.throws(() => {
      canary.innerHTML = '<b>x</b>'
    }, /TrustedHTML|blocked by CSP/)
    assert.equal(canary.childElementCount, 0)
    await reported
    assert.lengthOf(frame.violations, 1)
    assert.throws(() => new frame.window.DOMParser().parseFromString('<b>x</b>', 'text/html'))
    assert.isUndefined((frame.window as { trustedTypes?: unknown }).trustedTypes)
  })
})
