// Help texts, made from the tables.
import { exitCodeHelp } from './command.ts'
import type { Command, CommandRow, Operand, Option } from './command.ts'
import { helpOption } from './arguments.ts'

const columns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd()).join('\n')
}

const exitCodes = `Exit codes:\n${columns(exitCodeHelp.map(([code, meaning]) => [String(code), meaning]))}`

export function overview(rows: readonly CommandRow[]): string {
  return `trysail: a service mesh that speaks Istio's configuration and Envoy's xDS.

Usage: trysail COMMAND [OPTIONS]

Commands:
${columns(rows.map(({ name, summary }) => [name, summary]))}

'trysail COMMAND --help' says more about one.

${exitCodes}
`
}

export function commandHelp(name: string, { summary, about, operands, options, examples }: Command): string {
  const usage = ['trysail', name, ...operands.map(operandUsage), '[OPTIONS]']
  const parts = [
    summary,
    about,
    `Usage: ${usage.join(' ')}`,
    operands.length > 0 ? `Arguments:\n${columns(operands.map((one) => [one.name, withChoices(one.sentence, one.choices)]))}` : undefined,
    `Options:\n${columns([...options, helpOption].map((option) => [optionName(option), optionText(option)]))}`,
    examples.length > 0 ? `Examples:\n${examples.map((line) => `  ${line}`).join('\n')}` : undefined,
    exitCodes,
  ]
  return `${parts.filter((part) => part !== undefined).join('\n\n')}\n`
}

function operandUsage({ name, required, repeats }: Operand): string {
  const shown = repeats === true ? `${name}...` : name
  return required === true ? shown : `[${shown}]`
}

function optionName({ name, short, value, repeats }: Option): string {
  return `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}${repeats === true ? '...' : ''}`}`
}

function optionText({ sentence, initial, required, choices }: Option): string {
  const notes = [required === true ? 'Needed.' : '', initial === undefined ? '' : `Default: ${initial === '' ? 'empty' : initial}.`]
  return [withChoices(sentence, choices), ...notes].filter((part) => part !== '').join(' ')
}

const withChoices = (sentence: string, choices: readonly string[] | undefined): string =>
  choices === undefined ? sentence : `${sentence} One of ${choices.join(', ')}.`
