/** How nonce_watch.ts notes what was sealed under: apart from it, since that one watches whoever loads it. */

/** Bytes of the key's hash … */
export const HASH = 12
/** … and with the nonce behind it. */
export const NOTE = HASH + 12
