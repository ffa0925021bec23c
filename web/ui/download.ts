/** What a file that is saved is called: safe on every system. */
export function fileName(of: string, extension: string): string {
  return `sotto-${of.replace(/[^\p{L}\p{N}.-]+/gu, '_')}.${extension}`
}

/** Hands the browser a text file to save. Nothing goes over the network. */
export function download(parts: readonly string[], name: string, type: string): void {
  const address = URL.createObjectURL(new Blob([...parts], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}
