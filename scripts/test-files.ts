// Runs test files, each in a process of its own, some at a time, and keeps what node:test said of each.
import { readFileSync } from 'node:fs'
import { run } from 'node:test'
import type { TestEvent } from 'node:test/reporters'

/** A file that takes longer hangs: it is named and ended, and the others go on. The longest takes well under a minute. */
const fileTimeoutMs = 240_000

export interface FileRun {
  readonly file: string
  readonly failed: boolean
  readonly seconds: number
  readonly events: readonly TestEvent[]
}

/** What a test prints is passed on at once. */
export async function runFile(file: string): Promise<FileRun> {
  const events: TestEvent[] = []
  const start = performance.now()
  // `timeout` alone names a file that hangs and leaves its process; the signal ends that, too.
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(new Error(`not done after ${fileTimeoutMs} ms`)), fileTimeoutMs)
  for await (const event of run({ files: [file], concurrency: 1, signal: over.signal }) as AsyncIterable<TestEvent>) {
    if (event.type === 'test:stdout' || event.type === 'test:stderr') process.stdout.write(event.data.message)
    else if (event.type === 'test:pass' || event.type === 'test:fail') events.push(event)
  }
  clearTimeout(timer)
  return { file, failed: over.signal.aborted || events.some(({ type }) => type === 'test:fail'), seconds: (performance.now() - start) / 1000, events }
}

/** Test files that are not for any company. */
export interface Family {
  readonly folder: string
  /** As many of them at a time. */
  readonly most: number
}

/** All of them, `lanes` at a time: of those that may run beside what runs, always the first. */
export async function everyFile(files: readonly string[], lanes: number, families: readonly Family[]): Promise<readonly FileRun[]> {
  const waiting = [...files]
  const running = new Map<string, Promise<void>>()
  const runs: FileRun[] = []
  const mayRun = (file: string): boolean => {
    const family = families.find(({ folder }) => file.startsWith(folder))
    return family === undefined || [...running.keys()].filter((other) => other.startsWith(family.folder)).length < family.most
  }
  const start = async (file: string): Promise<void> => {
    const one = await runFile(file)
    running.delete(file)
    runs.push(one)
    if (one.failed) console.log(`✖ ${file}`)
  }
  while (waiting.length + running.size > 0) {
    const at = running.size < lanes ? waiting.findIndex(mayRun) : -1
    if (at < 0) await Promise.race(running.values())
    else for (const file of waiting.splice(at, 1)) running.set(file, start(file))
  }
  return runs
}

/** Processor seconds of all processes that this one has started and seen end; undefined where /proc does not say. */
export function childrenSeconds(): number | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(13, 15).map(Number)
    return (user! + system!) / 100
  } catch {
    return undefined
  }
}
