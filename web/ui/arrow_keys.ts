/**
 * Arrow keys, Home and End move between the buttons of a list, so that Tab steps over the list as
 * a whole. For a `keydown` listener on the list; the list's buttons carry `data-stop`.
 */
export function moveWithArrows(event: KeyboardEvent): void {
  const list = event.currentTarget as HTMLElement
  const stops = [...list.querySelectorAll<HTMLElement>('[data-stop]')]
  const at = stops.indexOf(event.target as HTMLElement)
  if (at < 0) return
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key]
  const next = to === undefined ? undefined : stops[to]
  if (to === undefined) return
  event.preventDefault()
  next?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}
