/**
 * Does something with every one of many, so many in a turn of the event loop: others get their
 * turn in between. Who is there is decided at the beginning. `turn` begins a slice when it may.
 */
export async function inSlices<T>(
  all: Iterable<T>,
  size: number,
  each: (one: T) => Promise<void>,
  turn = (slice: () => Promise<void>): Promise<void> => slice(),
): Promise<void> {
  const list = [...all]
  for (let at = 0; at < list.length; at += size) {
    await turn(async () => {
      await Promise.all(list.slice(at, at + size).map(each))
    })
    if (at + size < list.length) await new Promise((resolve) => setImmediate(resolve))
  }
}
