// `trysail version`: what this is and what it runs on.
import { readFileSync } from 'node:fs'
import { exitCode } from './command.ts'
import type { Command } from './command.ts'
import { outputOf, outputOption, print } from './print.ts'

/** Of our own package.json, two folders up from src/cli and from dist/cli alike. */
export function packageVersion(): string {
  const own: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof own === 'object' && own !== null && 'version' in own ? String(own.version) : 'unknown'
}

export const command: Command = {
  summary: 'Shows the version of Trysail and of Node.',
  operands: [],
  options: [outputOption],
  examples: ['trysail version -o json'],
  async run(invocation, io) {
    const version = { trysail: packageVersion(), node: process.version, platform: `${process.platform}-${process.arch}` }
    print(io, outputOf(invocation.text('output')), version, (of) => `trysail ${of.trysail} (Node ${of.node}, ${of.platform})\n`)
    return exitCode.fine
  },
}
