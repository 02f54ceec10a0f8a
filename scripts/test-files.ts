// Runs test files, each in a process of its own, some at a time, and keeps what node:test said of each.
import { run } from 'node:test'
import type { TestEvent } from 'node:test/reporters'

/** A file that takes longer hangs: it is named and ended, and the others go on. The longest takes well under a minute. */
const fileTimeoutMs = 240_000

export interface FileRun {
  readonly file: string
  readonly failed: boolean
  readonly events: readonly TestEvent[]
}

/** What a test prints is passed on at once. */
export async function runFile(file: string): Promise<FileRun> {
  const events: TestEvent[] = []
  // `timeout` alone names a file that hangs and leaves its process; the signal ends that, too.
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(new Error(`not done after ${fileTimeoutMs} ms`)), fileTimeoutMs)
  for await (const event of run({ files: [file], concurrency: 1, signal: over.signal }) as AsyncIterable<TestEvent>) {
    if (event.type === 'test:stdout' || event.type === 'test:stderr') process.stdout.write(event.data.message)
    else if (event.type === 'test:pass' || event.type === 'test:fail') events.push(event)
  }
  clearTimeout(timer)
  return { file, failed: over.signal.aborted || events.some(({ type }) => type === 'test:fail'), events }
}

/** All of them, `concurrency` at a time, in their order. */
export async function everyFile(files: readonly string[], concurrency: number): Promise<readonly FileRun[]> {
  const runs: FileRun[] = []
  const waiting = files.entries()
  const worker = async (): Promise<void> => {
    for (const [at, file] of waiting) {
      runs[at] = await runFile(file)
      if (runs[at].failed) console.log(`✖ ${file}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return runs
}
