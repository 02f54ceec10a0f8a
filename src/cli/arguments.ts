// Checks a command line against a command's tables. All mistakes are reported together, each with what was perhaps meant.
import { parseArgs } from 'node:util'
import type { Command, Invocation, Operand, Option } from './command.ts'
import { didYouMean } from './nearest.ts'
import { UsageError } from './usage-error.ts'

export const helpOption: Option = { name: 'help', short: 'h', sentence: 'Shows this text.' }

type Taken = Pick<Command, 'options' | 'operands'>

/** Throws `UsageError`. With `--help` nothing is required. */
export function parseArguments(args: readonly string[], { options, operands }: Taken): Invocation {
  const all = [...options, helpOption]
  const mistakes: string[] = []
  const values = new Map<string, (string | true)[]>()
  const positionals: string[] = []
  for (const token of tokensOf(args, all)) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const option = all.find(({ name }) => name === token.name)
    const value = option === undefined ? unknown(token.rawName, all, mistakes) : valueOf(option, token.value, mistakes)
    if (value !== undefined) values.set(token.name, [...(values.get(token.name) ?? []), value])
  }
  if (!values.has('help')) {
    mistakes.push(...missing(all, values), ...wrongOperands(positionals, operands))
    for (const { name, repeats } of all) {
      if (repeats !== true && (values.get(name)?.length ?? 0) > 1) mistakes.push(`--${name} is given more than once`)
    }
    if (mistakes.length > 0) throw new UsageError(mistakes)
  }
  return invocation(positionals, values)
}

function tokensOf(args: readonly string[], options: readonly Option[]) {
  const known = Object.fromEntries(
    options.map(({ name, short, value }) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: true, ...(short === undefined ? {} : { short }) },
    ]),
  )
  return parseArgs({ args: [...args], options: known, allowPositionals: true, strict: false, tokens: true }).tokens
}

function unknown(rawName: string, options: readonly Option[], mistakes: string[]): undefined {
  const names = options.flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])
  mistakes.push(`unknown flag ${rawName}${rawName.startsWith('--') ? didYouMean(rawName, names) : ''}`)
  return undefined
}

function valueOf({ name, value: shape, choices }: Option, value: string | undefined, mistakes: string[]): string | true | undefined {
  if (shape === undefined) {
    if (value === undefined) return true
    mistakes.push(`--${name} takes no value`)
  } else if (value === undefined) {
    mistakes.push(`--${name} needs a value: ${shape}`)
  } else if (choices !== undefined && !choices.includes(value)) {
    mistakes.push(`--${name} must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}${didYouMean(value, choices)}`)
  } else {
    return value
  }
  return undefined
}

function missing(options: readonly Option[], values: ReadonlyMap<string, unknown>): string[] {
  return options
    .filter(({ name, required }) => required === true && !values.has(name))
    .map(({ name, short, value }) => `${short === undefined ? '' : `-${short}, `}--${name} ${value ?? ''} is needed`.replace('  ', ' '))
}

function wrongOperands(given: readonly string[], operands: readonly Operand[]): string[] {
  const surplus = operands.at(-1)?.repeats === true ? [] : given.slice(operands.length)
  const mistakes = surplus.map((value) => `unexpected argument ${JSON.stringify(value)}`)
  for (const [i, { name, required, choices }] of operands.entries()) {
    const value = given[i]
    if (value === undefined && required === true) mistakes.push(`${name} is needed`)
    if (value !== undefined && choices !== undefined && !choices.includes(value)) {
      mistakes.push(`${name} must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}${didYouMean(value, choices)}`)
    }
  }
  return mistakes
}

function invocation(operands: readonly string[], values: ReadonlyMap<string, readonly (string | true)[]>): Invocation {
  const list = (name: string): readonly string[] => (values.get(name) ?? []).filter((value) => value !== true)
  return {
    operands,
    text: (name) => list(name).at(-1),
    list,
    flag: (name) => values.has(name),
    given: Object.fromEntries([...values].map(([name, all]) => [name, all.at(-1)!])),
  }
}
