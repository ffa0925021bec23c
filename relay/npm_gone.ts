/** Milliseconds between two looks. */
const LOOK_MS = 500

/**
 * npm and npx run a command in a shell that passes no signal on: who ends them ends nothing else.
 * So what they started looks whether its parent is still there, and calls `gone` once it is not.
 */
export function onNpmGone(gone: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    gone()
  }, LOOK_MS).unref()
}
