/**
 * How deep a person is in a narrow screen, as entries of the tab's history, so that Back leads out
 * step by step. An entry holds that number and nothing else; the address stays as it is.
 */
export class Depth {
  /** The person has gone back or forth; undefined when a move of ours is done. */
  moved: (depth: number | undefined) => void = () => undefined
  /** A move of ours is under way: the browser tells when it is done. */
  #moving = false

  listen(): void {
    addEventListener('popstate', this.#onPop)
  }

  stop(): void {
    removeEventListener('popstate', this.#onPop)
  }

  /** Brings the history in step with the screen. */
  set(depth: number): void {
    let now = present()
    if (this.#moving || depth === now) return
    this.#moving = depth < now
    if (this.#moving) history.go(depth - now)
    else while (now < depth) history.pushState({ depth: ++now }, '')
  }

  readonly #onPop = (): void => {
    const own = this.#moving
    this.#moving = false
    this.moved(own ? undefined : present())
  }
}

function present(): number {
  return (history.state as { readonly depth?: number } | null)?.depth ?? 0
}
