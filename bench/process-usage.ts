// What processes use, from /proc: CPU seconds and resident memory of each with all its descendants.
import { readFileSync, readdirSync } from 'node:fs'

/** Of Linux, whatever its kernel was built with. */
const ticksPerSecond = 100

export interface Usage {
  readonly cpuSeconds: number
  readonly rssBytes: number
}

export function usageOf(pids: readonly number[]): Usage {
  const all = pids.flatMap(withDescendants)
  return { cpuSeconds: sum(all.map(cpuSeconds)), rssBytes: sum(all.map(rssBytes)) }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function withDescendants(root: number): number[] {
  const found = [root]
  const parents = new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => [Number(name), parentOf(Number(name))]))
  for (let i = 0; i < found.length; i++) {
    for (const [pid, parent] of parents) if (parent === found[i]) found.push(pid)
  }
  return found
}

/** The fields of /proc/PID/stat behind the program's name, which may contain anything: the first is the state. */
function statOf(pid: number): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return [] // ended meanwhile
  }
}

const parentOf = (pid: number): number => Number(statOf(pid)[1] ?? 0)

function cpuSeconds(pid: number): number {
  const stat = statOf(pid)
  return (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) / ticksPerSecond
}

function rssBytes(pid: number): number {
  try {
    const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return Number(found?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
