/**
 * Calls `wake` whenever a connection may be possible again or may have died unseen: the browser
 * says that it is online, the tab is looked at, or it comes back out of the page cache. Returns
 * what ends that.
 */
export function onWake(wake: () => void): () => void {
  const whenVisible = () => {
    if (document.visibilityState === 'visible') wake()
  }
  addEventListener('online', wake)
  addEventListener('pageshow', wake)
  document.addEventListener('visibilitychange', whenVisible)
  return () => {
    removeEventListener('online', wake)
    removeEventListener('pageshow', wake)
    document.removeEventListener('visibilitychange', whenVisible)
  }
}
