// Chooses how connections are carried: raw handles where they pass their self-test, node's public sockets elsewhere or
// where an operator wants them. The self-test runs once per process.
import { findDialProblem, findHandleProblem, findTakingProblem } from './self-test.ts'
import { loadHandleTransports } from './handles.ts'
import { socketTransports } from './socket-transport.ts'
import type { Transports } from './transport-options.ts'

export interface TransportChoice {
  readonly transports: Transports
  /** Why not raw handles, or not for all, when they were wanted; a line for the log. */
  readonly problem: string | undefined
}

let tested: Promise<TransportChoice> | undefined
let current: Transports = socketTransports
let publicOnly = false

/** Sets what `listen` and `connect` use from now on in this process. Await it at start. */
export async function chooseTransports(options: { readonly rawHandles: boolean }): Promise<TransportChoice> {
  publicOnly = !options.rawHandles
  const choice = publicOnly ? { transports: socketTransports, problem: undefined } : await testHandles()
  current = choice.transports
  return choice
}

/** Raw handles, unless they were turned off or do not work here. */
export async function defaultTransports(): Promise<Transports> {
  if (!publicOnly) current = (await testHandles()).transports
  return current
}

/** The same, for those who cannot wait: sockets as long as the self-test has not passed. */
export function currentTransports(): Transports {
  if (tested === undefined && !publicOnly) void defaultTransports()
  return current
}

function testHandles(): Promise<TransportChoice> {
  return (tested ??= runTest())
}

async function runTest(): Promise<TransportChoice> {
  const handles = loadHandleTransports()
  if (handles === undefined) return { transports: socketTransports, problem: 'this node does not give out stream handles' }
  const problem = await findHandleProblem(handles)
  if (problem !== undefined) return { transports: socketTransports, problem }
  const takingProblem = await findTakingProblem(handles)
  const dialProblem = await findDialProblem(handles)
  const { name, wrap, take, dial } = handles
  const transports = { name, wrap, ...(takingProblem === undefined && take !== undefined && { take }), ...(dialProblem === undefined && dial !== undefined && { dial }) }
  return { transports, problem: takingProblem ?? dialProblem }
}
