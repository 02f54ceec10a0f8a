// A small process beside `run` or `agent run` that makes sure its children do not outlive it. It is told of them over its
// standard input, and of the networks that were made; when that closes (also because whoever tells it was killed), it ends
// those that are left, whatever else runs in those networks, and itself; what announces a killed one is taken away.
import { createInterface } from 'node:readline'
import type { NetworkNumber } from '../../agent/netns/namespace.ts'
import { withdrawAnnouncement } from '../running.ts'
import { killGroup, signalTo } from './child.ts'
import { isNetwork, killAllIn } from './netns/left.ts'

const guarded = process.ppid
/** Process groups that are told to end. */
const groups = new Set<number>()
/** Those that notice by themselves, and have something to do before they end. */
const noticing = new Set<number>()
const networks = new Set<NetworkNumber>()
/** From the word to the force. */
const graceMs = Number(process.argv[2])
const lookMs = 100

// Ctrl-C and SIGTERM are for `run` to answer; the end of the input tells us.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [sign = '', what] = [line[0], line.slice(1)]
  if (isNetwork(what)) return void (sign === '+' ? networks.add(what) : networks.delete(what))
  const pid = Number(what)
  if (!Number.isSafeInteger(pid) || pid <= 1) return
  if (sign === '+') groups.add(pid)
  if (sign === '~') noticing.add(pid)
  if (sign === '-') for (const all of [groups, noticing]) all.delete(pid)
})
lines.on('close', () => {
  for (const pid of groups) end(pid, 'SIGTERM')
  const until = Date.now() + graceMs
  const look = (): void => {
    const left = [...groups, ...noticing].filter((pid) => end(pid, 0))
    if (left.length + networks.size > 0 && Date.now() < until) return void setTimeout(look, lookMs)
    for (const pid of left) end(pid, 'SIGKILL')
    for (const network of networks) killAllIn(network)
    withdrawAnnouncement(guarded)
    process.exit(0)
  }
  look()
})

/** Its group, or itself where it leads none, as a program that shares its terminal with us. False when there is none any more. */
const end = (pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean => killGroup(pid, signal) || signalTo(pid, signal)
