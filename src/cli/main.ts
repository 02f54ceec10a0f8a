// The command line: finds the command, checks its arguments, shows help, and turns what it throws into an exit code. What
// the commands do is in a file each; table.ts lists them.
import { describe } from '../lib/errors.ts'
import { parseArguments } from './arguments.ts'
import { exitCode } from './command.ts'
import type { CommandRow, Io } from './command.ts'
import { commandHelp, overview } from './help.ts'
import { didYouMean } from './nearest.ts'
import { processIo } from './process-io.ts'
import { commands } from './table.ts'
import { UsageError } from './usage-error.ts'

/** Runs `trysail ARGS` and resolves to its exit code. */
export async function main(args: readonly string[], io: Io = processIo()): Promise<number> {
  if (args.length === 1 && args[0] === '--version') return main(['version'], io)
  const row = findCommand(args)
  if (row === undefined) return withoutCommand(args, io)
  const command = await row.load()
  try {
    const invocation = parseArguments(args.slice(row.name.split(' ').length), command)
    if (invocation.flag('help')) {
      io.stdout(commandHelp(row.name, command))
      return exitCode.fine
    }
    return await command.run(invocation, io)
  } catch (error) {
    if (!(error instanceof UsageError)) {
      io.stderr(`trysail ${row.name}: ${describe(error)}\n`)
      return exitCode.findings
    }
    return usage(io, error.mistakes, `trysail ${row.name} --help`)
  }
}

/** `control token` before `control`. */
function findCommand(args: readonly string[]): CommandRow | undefined {
  const fitting = commands.filter(({ name }) => name.split(' ').every((word, i) => args[i] === word))
  return fitting.toSorted((one, other) => other.name.length - one.name.length)[0]
}

function withoutCommand(args: readonly string[], io: Io): number {
  const [first = '', second = ''] = args
  const family = commands.filter(({ name }) => name.startsWith(`${first} `))
  if (isHelp(first) || (family.length > 0 && isHelp(second))) {
    io.stdout(overview(isHelp(first) ? commands : family))
    return exitCode.fine
  }
  const names = commands.map(({ name }) => name)
  if (first === '') return usage(io, ['a command is needed: ' + names.join(', ')], 'trysail --help')
  if (first.startsWith('-')) return usage(io, [`a command comes before flags, not ${first}`], 'trysail --help')
  if (family.length > 0) return usage(io, [`${first} is followed by more: ${family.map(({ name }) => name).join(', ')}`], 'trysail --help')
  return usage(io, [`unknown command ${first}${didYouMean(`${first} ${second}`.trim(), names) || didYouMean(first, names)}`], 'trysail --help')
}

const isHelp = (word: string): boolean => ['--help', '-h', 'help'].includes(word)

function usage(io: Io, mistakes: readonly string[], help: string): number {
  for (const mistake of mistakes) io.stderr(`trysail: ${mistake}\n`)
  io.stderr(`See '${help}'.\n`)
  return exitCode.usage
}
