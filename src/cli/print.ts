// Answers on the terminal: plain tables for people, JSON and YAML for programs.
import type { Io, Option } from './command.ts'
import { yaml } from './yaml.ts'

export const outputFormats = ['text', 'json', 'yaml'] as const
export type OutputFormat = (typeof outputFormats)[number]

export const outputOption: Option = {
  name: 'output', short: 'o', value: 'FORMAT', choices: outputFormats, initial: 'text', sentence: 'How to print the answer.',
}

export function outputOf(given: string | undefined): OutputFormat {
  return outputFormats.find((format) => format === given) ?? 'text'
}

/** Prints `value` as JSON or YAML, or as the text that `asText` makes of it. */
export function print<Value>(io: Io, format: OutputFormat, value: Value, asText: (value: Value) => string): void {
  if (format === 'json') io.stdout(`${JSON.stringify(value, null, 2)}\n`)
  else if (format === 'yaml') io.stdout(yaml().stringify(JSON.parse(JSON.stringify(value))))
  else io.stdout(asText(value))
}

/** Columns as wide as their widest cell; the heading in capitals, as istioctl and kubectl have it. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows]
  const widths = heading.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all.map((row) => `${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join('   ').trimEnd()}\n`).join('')
}
