// Steady traffic in the background of a step, and what became of every request.
import type { Client, Reply } from './client.ts'

export interface Load {
  /** Answers so far, in order. */
  readonly replies: readonly Reply[]
  /** Those that a user would call failed. */
  readonly failed: readonly Reply[]
  stop(): Promise<void>
}

/** `workers` loops, each with one request at a time and a short pause, until stopped. */
export function startLoad(client: Client, path: string, workers: number, pauseMs = 4): Load {
  const replies: Reply[] = []
  let running = true
  const loop = async (): Promise<void> => {
    while (running) {
      replies.push(await client.get(path))
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
  const loops = Array.from({ length: workers }, loop)
  return {
    replies,
    get failed() {
      return replies.filter(({ status }) => status !== 200)
    },
    async stop() {
      running = false
      await Promise.all(loops)
    },
  }
}

/** Sends `count` requests, `parallel` at a time. */
export async function sendMany(client: Client, path: string, count: number, headers: Readonly<Record<string, string>> = {}, parallel = 8): Promise<Reply[]> {
  const replies: Reply[] = []
  let left = count
  const loop = async (): Promise<void> => {
    while (left-- > 0) replies.push(await client.get(path, headers))
  }
  await Promise.all(Array.from({ length: parallel }, loop))
  return replies
}
