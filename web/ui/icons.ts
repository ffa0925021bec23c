/** The page's few pictures, all drawn on a grid of 24 and hidden from assistive technology. */
import { type Html, html } from './html.ts'

const icon = (path: string): Html =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${path}/></svg>`

export const lockIcon = (): Html => icon('M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3')
export const backIcon = (): Html => icon('M15 5l-7 7 7 7')
export const personIcon = (): Html =>
  icon('M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20.5c.9-3.9 3.9-5.8 7.5-5.8s6.6 1.9 7.5 5.8')
export const handshakeIcon = (): Html => icon('M4 8h15m-4-4 4 4-4 4M20 17H5m4-4-4 4 4 4')
export const leaveIcon = (): Html => icon('M14 4H6v16h8M10 12h11m-4-4 4 4-4 4')
export const joinIcon = (): Html => icon('M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9.4M20 4v5.4h-5.4')
export const sendIcon = (): Html => icon('M12 20V5m-6 6 6-6 6 6')
export const chevronIcon = (): Html => icon('M7 10l5 5 5-5')
export const searchIcon = (): Html =>
  icon('M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20 20')
export const downIcon = (): Html => icon('M12 5v14m-6-6 6 6 6-6')
export const closeIcon = (): Html => icon('M6 6l12 12M18 6L6 18')
export const warningIcon = (): Html => icon('M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.1')
export const infoIcon = (): Html => icon('M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v5M12 7.8v.1')
export const checkIcon = (): Html => icon('M5 12.5l4.5 4.5L19 7.5')

/** The sign: a decrescendo, as in a score where the voice drops to an undertone. */
export const sign = (): Html => html`
  <svg class="sign" viewBox="0 0 48 24" aria-hidden="true">
    <path d="M4 3 L44 12 L4 21"/>
  </svg>`
