// The life of a workload: its proxy first, then its program, for as long as the program runs. What a Pod promises with
// holdApplicationUntilProxyStarts and native sidecars, here without one. How the two are started is their own business.
//
//   proxy starts --ready--> program starts --ends------------------------------------------------> proxy ends, and so do we
//                                 \--told to end--> proxy leaves --> program is told, and ends --/
//
// To leave: the endpoint is withdrawn, peers hear of it, and who is being served is served to the end. The program is told
// only then, and may ask others to its very last: its proxy outlives it.
import type { Clock } from '../../lib/clock.ts'
import type { LifeProgram, ProgramEnd } from './program.ts'
import type { ProxyKeeper } from './proxy-keeper.ts'

export interface LifeParts {
  readonly proxy: ProxyKeeper
  startProgram(): LifeProgram
  /** False: the program starts at once, and its first calls may fail. */
  readonly holds: boolean
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number
  readonly clock: Clock
  /** The agent is told to end. Its reason is the signal. */
  readonly stop: AbortSignal
  log(line: string): void
}

/** A proxy is there within a second, unless something is wrong. */
const sayHeldMs = 4_000

/** Ends when all of it has ended; the exit code is the program's, 128 and the signal's number for a signal (as in a shell). */
export async function runLife(parts: LifeParts): Promise<number> {
  const { proxy, stop } = parts
  const told = whenAborted(stop)
  try {
    if (parts.holds) {
      const cancel = parts.clock.after(sayHeldMs, () => parts.log('the program waits: its proxy does not serve yet, and says what is missing (--hold-application-until-proxy-starts false starts the program all the same)'))
      const first = await Promise.race([proxy.ready.then(() => 'ready' as const), proxy.gaveUp, told])
      cancel()
      if (typeof first === 'number') return first
      if (first === 'told') return signalled(stop)
    }
    return await runProgram(parts, told)
  } finally {
    await proxy.end()
  }
}

async function runProgram({ proxy, startProgram, graceMs, clock, stop, log }: LifeParts, told: Promise<'told'>): Promise<number> {
  const program = startProgram()
  const first = await Promise.race([program.ended, told])
  if (first !== 'told') return codeOf(first, log)
  log('is told to end: its endpoint is withdrawn, and who is being served is served to the end')
  await Promise.race([proxy.leave(), program.ended])
  program.signal(signalOf(stop))
  const cancel = clock.after(graceMs, () => {
    log(`the program still runs after ${graceMs / 1000} s: it is killed`)
    program.signal('SIGKILL')
  })
  const end = await program.ended
  cancel()
  return codeOf(end, log)
}

/** What cannot be started has a reason that somebody should read. */
function codeOf({ code, problem }: ProgramEnd, log: LifeParts['log']): number {
  if (problem !== undefined) log(problem)
  return code
}

function whenAborted(stop: AbortSignal): Promise<'told'> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve('told')
    else stop.addEventListener('abort', () => resolve('told'), { once: true })
  })
}

const signalOf = ({ reason }: AbortSignal): NodeJS.Signals => (reason === 'SIGINT' ? 'SIGINT' : 'SIGTERM')

/** Told to end before there was a program: as a program that does not mind signals would have ended. */
const signalled = (stop: AbortSignal): number => (signalOf(stop) === 'SIGINT' ? 130 : 143)

