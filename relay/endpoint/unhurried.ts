/**
 * Large answers on one carrier, one after the other, each begun only when the network has taken
 * most of what was sent before. One answer of at most the longest message can then wait on top of
 * the mark, whatever the peers ask for (PROTOCOL.md, "Limits").
 */
export class Unhurried {
  readonly #relieved: () => Promise<void>
  #tail: Promise<unknown> = Promise.resolve()

  /** `relieved` resolves when little waits to be sent, or nothing can be sent any more. */
  constructor(relieved: () => Promise<void>) {
    this.#relieved = relieved
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(async () => {
      await this.#relieved()
      return task()
    })
    this.#tail = result.catch(() => undefined)
    return result
  }
}

/** Waits until `buffered()` is at most `mark`, woken by the stream's `drain` and `close`. */
export async function belowMark(
  stream: NodeJS.EventEmitter & { readonly destroyed: boolean },
  buffered: () => number,
  mark: number,
): Promise<void> {
  while (!stream.destroyed && buffered() > mark)
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        stream.off('drain', wake)
        stream.off('close', wake)
        resolve()
      }
      stream.on('drain', wake)
      stream.on('close', wake)
    })
}
