// A small process beside `run` that makes sure its children do not outlive it. `run` tells it their process groups over
// its standard input, and the networks that it made; when that closes (also because `run` was killed), it ends the groups
// that are left, whatever else runs in those networks, and itself.
import { createInterface } from 'node:readline'
import type { NetworkNumber } from '../../agent/netns/namespace.ts'
import { killGroup } from './child.ts'
import { isNetwork, killAllIn } from './netns-left.ts'

const groups = new Set<number>()
const networks = new Set<NetworkNumber>()
const graceMs = 2000

// Ctrl-C and SIGTERM are for `run` to answer; the end of the input tells us.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  if (isNetwork(line.slice(1))) {
    if (line.startsWith('+')) networks.add(line.slice(1) as NetworkNumber)
    else networks.delete(line.slice(1) as NetworkNumber)
    return
  }
  const pid = Number(line.slice(1))
  if (!Number.isSafeInteger(pid) || pid <= 1) return
  if (line.startsWith('+')) groups.add(pid)
  if (line.startsWith('-')) groups.delete(pid)
})
lines.on('close', () => {
  const left = [...groups].filter((pid) => killGroup(pid, 'SIGTERM'))
  if (left.length === 0 && networks.size === 0) process.exit(0)
  setTimeout(() => {
    for (const pid of left) killGroup(pid, 'SIGKILL')
    for (const network of networks) killAllIn(network)
    process.exit(0)
  }, graceMs)
})
