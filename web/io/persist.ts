/** How long what is stored here will stay: the browser's promise, as far as it gives one. */
export interface Persistence {
  /** Whether the browser promises not to delete the storage by itself. */
  readonly persistent: boolean
  /** Bytes that are left for this site, or undefined when the browser does not say. */
  readonly left: number | undefined
}

/** Asks for persistent storage (some browsers ask the person) and says what came of it. */
export async function askPersistence(): Promise<Persistence> {
  const { storage } = navigator
  const persistent = (await storage.persisted()) || (await storage.persist())
  const { quota, usage } = await storage.estimate()
  const left = quota === undefined || usage === undefined ? undefined : quota - usage
  return { persistent, left }
}
