// A new process takes the listening sockets of an old one over, and no connection is lost: both have the same kernel sockets,
// so what waits in their queues is accepted by whoever comes first.
//
//   new: hello ─ next ─ next ─ ... ─ (reads its configuration, listens) ─ ready ─────────────── serves alone
//   old:   ok  ─ socket ─ socket ─ end ────── goes on serving ────────── (stops accepting) yours ─ drains, ends
//
// Whatever goes wrong before `ready` ends the conversation and changes nothing for the old one.
import { hasCode, spawn } from '../lib/errors.ts'
import type { Address } from '../model/address.ts'
import { netError } from './errors.ts'
import type { BoundSocket } from './listen-set.ts'
import { connectPassing, listenPassing, passable } from './socket-passing.ts'
import type { PassingEnd, PassingServer } from './socket-passing.ts'

/** What a socket is for. */
export type Role = 'listener' | 'admin'

export interface OfferedSocket extends BoundSocket {
  readonly role: Role
}

export interface OfferSource {
  /** All that listen now. */
  sockets(): readonly OfferedSocket[]
  /** The new process serves: resolves once nothing is accepted here any more. */
  yieldTo(): Promise<void>
}

/** Both sides have to speak the same; another one starts without taking over. */
const hello = 'trysail take-over 1'

/** Anyone who can open `path` can take the sockets: its folder must be private. Rejects with `net/failed`. */
export function offerSockets(path: string, source: OfferSource): Promise<PassingServer> {
  return listenPassing(path, (end) => answer(end, source))
}

function answer(end: PassingEnd, source: OfferSource): void {
  let left: readonly OfferedSocket[] = []
  let over = false
  end.onEnd = () => void (over = true)
  end.onLine = (line) => {
    if (over) return
    if (line === hello) {
      left = source.sockets()
      end.send('ok')
    } else if (line === 'next') {
      const [next, ...others] = left
      left = others
      if (next === undefined) end.send('end')
      else if (!end.send(JSON.stringify({ role: next.role, address: next.address }), passable(next.on))) end.send('gone')
    } else if (line === 'ready') {
      over = true
      spawn('handing the sockets over', source.yieldTo().then(() => end.send('yours')))
    } else end.send('what?')
  }
}

export interface TakenOver {
  readonly listeners: readonly BoundSocket[]
  readonly admin: object | undefined
  /** This process serves: resolves once the old one accepts nothing any more. */
  confirm(): Promise<void>
}

/** Nothing answers for so long: the old process hangs, or ends. */
const answerMs = 10_000

/** Undefined when there is nobody to take over from. Rejects with `net/closed` or `net/timeout` when the old process leaves in the middle. */
export async function takeOver(path: string): Promise<TakenOver | undefined> {
  const end = await connectPassing(path).catch((error: unknown) => {
    if (hasCode(error, 'net/refused')) return undefined
    throw error
  })
  if (end === undefined) return undefined
  try {
    return await conversation(end)
  } catch (error) {
    end.close()
    throw error
  }
}

async function conversation(end: PassingEnd): Promise<TakenOver> {
  const ask = asker(end)
  const { line: greeting } = await ask(hello)
  if (greeting !== 'ok') throw netError('net/failed', `the process that runs speaks another version of the take-over: ${JSON.stringify(greeting)}`)
  const listeners: BoundSocket[] = []
  let admin: object | undefined
  for (;;) {
    const { line, socket } = await ask('next')
    if (line === 'end') break
    if (line === 'gone') continue
    const told = JSON.parse(line) as { role: Role; address: Address }
    if (socket === undefined) throw netError('net/failed', 'a socket did not come with its address')
    if (told.role === 'admin') admin = socket
    else listeners.push({ address: told.address, on: { handle: socket } })
  }
  return { listeners, admin, confirm: () => ask('ready').then(() => end.close()) }
}

interface Answer {
  readonly line: string
  readonly socket: object | undefined
}

function asker(end: PassingEnd): (question: string) => Promise<Answer> {
  let settle: { resolve(answer: Answer): void; reject(error: Error): void } | undefined
  let ended = false
  end.onLine = (line, socket) => settle?.resolve({ line, socket })
  end.onEnd = () => {
    ended = true
    settle?.reject(netError('net/closed', 'the process that runs has ended the take-over'))
  }
  return (question) => new Promise((resolve, reject) => {
    if (ended) return reject(netError('net/closed', 'the process that runs is gone'))
    const timer = setTimeout(() => reject(netError('net/timeout', `the process that runs does not answer within ${answerMs} ms`)), answerMs)
    settle = {
      resolve(answer) {
        clearTimeout(timer)
        resolve(answer)
      },
      reject(error) {
        clearTimeout(timer)
        reject(error)
      },
    }
    end.send(question)
  })
}
