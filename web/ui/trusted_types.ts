/**
 * The page is served with `trusted-types 'none'`: nobody may make a policy, so no string ever
 * becomes markup. lit-html asks for a policy of its own as soon as it is loaded, which under that
 * header throws. It does so only when it sees the factory, so the page gives the factory up before
 * Lit is loaded: {@link ./html.ts} builds templates without any markup string and needs no policy.
 * The browser's enforcement is not touched by this; a canary in the tests proves it.
 */
Object.defineProperty(globalThis, 'trustedTypes', { value: undefined, configurable: true })
