// Settings tables on the command line: each row is an option, a variable of the environment and a key of the settings
// file that --config names. What the values mean is left to the tables.
import { readFileSync } from 'node:fs'
import { describe } from '../lib/errors.ts'
import { describeSettings, readSettings } from '../lib/settings.ts'
import type { SettingsOf, SettingsTable } from '../lib/settings.ts'
import type { Invocation, Option } from './command.ts'
import { UsageError } from './usage-error.ts'
import { yaml } from './yaml.ts'

export const configOption: Option = {
  name: 'config', value: 'FILE', sentence: 'Settings in YAML or JSON, under the names below in camelCase. The environment wins over it, flags over both.',
}

/** What settings are read from, beside the command line. */
export interface SettingsSurroundings {
  readonly envPrefix: string
  readonly env: Readonly<Record<string, string | undefined>>
}

export function settingsOptions(table: SettingsTable, envPrefix: string): readonly Option[] {
  return describeSettings(table, envPrefix).map(([flag = '', variable, type = '', shown = '', sentence], i) => {
    const { initial } = Object.values(table)[i]!
    return {
      name: flag.slice('--'.length),
      // What is off can only be turned on: a flag is enough.
      ...(initial === false ? {} : { value: type }),
      ...(Array.isArray(initial) ? { repeats: true } : {}),
      ...(shown === '' || initial === false ? {} : { initial: shown }),
      sentence: `${sentence} [${variable}]`,
    }
  })
}

/** Throws `UsageError` with every mistake of all three layers. */
export function settingsOf<Table extends SettingsTable>(table: Table, { envPrefix, env }: SettingsSurroundings, invocation: Invocation): SettingsOf<Table> {
  const read = readSettings(table, { envPrefix, env, file: fileOf(invocation.text('config')), flags: flagsOf(table, envPrefix, invocation) })
  if (!read.ok) throw new UsageError(read.mistakes)
  return read.settings
}

function flagsOf(table: SettingsTable, envPrefix: string, invocation: Invocation): Record<string, unknown> {
  const given = settingsOptions(table, envPrefix).filter(({ name }) => invocation.flag(name))
  return Object.fromEntries(given.map(({ name, repeats }) => [name, repeats === true ? invocation.list(name) : invocation.given[name]]))
}

function fileOf(path: string | undefined): Readonly<Record<string, unknown>> {
  if (path === undefined) return {}
  const document = yaml().parseDocument(textOf(path), { prettyErrors: true })
  if (document.errors.length > 0) throw new UsageError(document.errors.map(({ message, linePos }) => `${path}:${linePos?.[0].line ?? 1}: ${message.split('\n')[0]!}`))
  const value: unknown = document.toJS()
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw new UsageError([`${path}: settings are a mapping of names to values`])
  return { ...value }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError([`--config ${path} cannot be read: ${describe(error)}`])
  }
}
