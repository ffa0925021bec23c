import type { ChatModel, ChatState } from '../../web/chat/model.ts'

const PATIENCE_MS = 20_000

/**
 * Resolves as soon as the model's state satisfies `predicate`, looked at on every change. Rejects
 * after twenty seconds with what the state was.
 */
export function until<M extends ChatModel>(
  model: M,
  predicate: (state: ChatState) => boolean | Promise<boolean>,
  what = predicate.toString(),
): Promise<ChatState> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      model.removeEventListener('change', look)
    }
    const look = async (): Promise<void> => {
      const { state } = model
      try {
        if (!(await predicate(state))) return
        stop()
        resolve(state)
      } catch (error) {
        stop()
        reject(error as Error)
      }
    }
    const timer = setTimeout(() => {
      stop()
      const { me, connection, rooms, notices } = model.state
      const brief = rooms.map(({ title, phase, text, length, readers }) => ({
        title,
        phase,
        text,
        length,
        readers: readers.map(({ user }) => user),
      }))
      const seen = JSON.stringify({ me: me.user, connection, rooms: brief, notices }, null, 1)
      reject(new Error(`waited in vain for: ${what}\n${seen}`))
    }, PATIENCE_MS)
    model.addEventListener('change', look)
    void look()
  })
}
