// Process settings as tables: one row each (name, type, default, sentence). Three layers, file < env < flag. All mistakes
// are reported together. Reading the environment and files is left to the `settings.ts` of each process.

export interface Setting<Value> {
  readonly type: string
  readonly initial: Value
  /** The default as people write it, where that is not how a program does: `45s`. */
  readonly shown?: string
  readonly sentence: string
  /** The value, or what is wrong with it, to be read after `must be`. */
  parse(raw: unknown): Value | Wrong
}

/** What a value should have been: `a duration such as 45s`. */
export class Wrong {
  readonly expected: string
  constructor(expected: string) {
    this.expected = expected
  }
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>
export type SettingsOf<Table extends SettingsTable> = { readonly [Name in keyof Table]: Table[Name]['initial'] }

export interface SettingsLayers {
  /** Keys are the table's names. */
  readonly file?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string | undefined>>
  /** `TRYSAIL_PROXY_`: then `drainDuration` is TRYSAIL_PROXY_DRAIN_DURATION. */
  readonly envPrefix?: string
  /** Keys are kebab-case: `drain-duration`. */
  readonly flags?: Readonly<Record<string, unknown>>
}

export type SettingsResult<Table extends SettingsTable> =
  | { readonly ok: true; readonly settings: SettingsOf<Table> }
  | { readonly ok: false; readonly mistakes: readonly string[] }

/** Later layers win. Unknown keys of the file and unknown flags are mistakes; the environment belongs to others too. */
export function readSettings<Table extends SettingsTable>(table: Table, layers: SettingsLayers): SettingsResult<Table> {
  const mistakes = unknownKeys(table, layers)
  const settings: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(table)) {
    const given = valuesOf(name, layers).at(-1)
    settings[name] = given === undefined ? setting.initial : accept(setting, given, mistakes)
  }
  return mistakes.length === 0 ? { ok: true, settings: settings as SettingsOf<Table> } : { ok: false, mistakes }
}

/** Rows for --help and the docs. */
export function describeSettings(table: SettingsTable, envPrefix: string): readonly (readonly string[])[] {
  return Object.entries(table).map(([name, setting]) => [
    `--${kebab(name)}`, `${envPrefix}${snake(name)}`, setting.type, shownOf(setting), setting.sentence,
  ])
}

/** A default as people write it; empty for none. */
function shownOf({ initial, shown }: Setting<unknown>): string {
  if (shown !== undefined) return shown
  return typeof initial === 'string' ? initial : JSON.stringify(initial) ?? ''
}

interface Given {
  readonly from: string
  readonly raw: unknown
}

function valuesOf(name: string, { file, env, envPrefix = '', flags }: SettingsLayers): Given[] {
  const key = `${envPrefix}${snake(name)}`
  const all = [
    { from: `${name} in the settings file`, raw: file?.[name] },
    { from: key, raw: env?.[key] },
    { from: `--${kebab(name)}`, raw: flags?.[kebab(name)] },
  ]
  return all.filter(({ raw }) => raw !== undefined)
}

function accept(setting: Setting<unknown>, { from, raw }: Given, mistakes: string[]): unknown {
  const value = setting.parse(raw)
  if (!(value instanceof Wrong)) return value
  mistakes.push(`${from}: must be ${value.expected}, not ${JSON.stringify(raw)}`)
  return setting.initial
}

function unknownKeys(table: SettingsTable, { file = {}, flags = {} }: SettingsLayers): string[] {
  const known = new Set(Object.keys(table))
  const knownFlags = new Set([...known].map(kebab))
  return [
    ...Object.keys(file).filter((key) => !known.has(key)).map((key) => `${key} in the settings file: no such setting`),
    ...Object.keys(flags).filter((key) => !knownFlags.has(key)).map((key) => `--${key}: no such setting`),
  ]
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const snake = (name: string): string => kebab(name).replaceAll('-', '_').toUpperCase()

export function text(initial: string, sentence: string): Setting<string> {
  return { type: 'text', initial, sentence, parse: (raw) => (typeof raw === 'string' ? raw : new Wrong('text')) }
}

export function choice<const Option extends string>(options: readonly Option[], initial: Option, sentence: string): Setting<Option> {
  const parse = (raw: unknown) => options.find((option) => option === raw) ?? new Wrong(`one of ${options.join(', ')}`)
  return { type: options.join('|'), initial, sentence, parse }
}

export function onOff(initial: boolean, sentence: string): Setting<boolean> {
  const parse = (raw: unknown) => {
    if (raw === true || raw === 'true' || raw === '') return true
    return raw === false || raw === 'false' ? false : new Wrong('true or false')
  }
  return { type: 'true|false', initial, sentence, parse }
}

export function integer(initial: number, sentence: string, range: { min: number; max: number } = { min: 0, max: 2 ** 31 - 1 }): Setting<number> {
  const parse = (raw: unknown) => {
    const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw
    const fits = typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max
    return fits ? value : new Wrong(`a whole number from ${range.min} to ${range.max}`)
  }
  return { type: 'number', initial, sentence, parse }
}

export function port(initial: number, sentence: string): Setting<number> {
  return { ...integer(initial, sentence, { min: 0, max: 65535 }), type: 'port' }
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds, written with a unit: `45s`, `1h30m`. */
export function duration(initial: string, sentence: string): Setting<number> {
  const parse = (raw: unknown) => parseDuration(raw) ?? new Wrong('a duration such as 45s')
  return { type: 'duration', initial: parseDuration(initial)!, shown: initial, sentence, parse }
}

function parseDuration(raw: unknown): number | undefined {
  if (raw === '0' || raw === 0) return 0
  if (typeof raw !== 'string' || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(raw)) return undefined
  let total = 0
  for (const [, amount, unit] of raw.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(amount) * unitMs[unit!]!
  return total
}

/** `a=b,c=d`, or an object in a file. */
export function pairs(initial: Readonly<Record<string, string>>, sentence: string): Setting<Readonly<Record<string, string>>> {
  return { type: 'name=value,...', initial, shown: Object.entries(initial).map((pair) => pair.join('=')).join(','), sentence, parse: parsePairs }
}

function parsePairs(raw: unknown): Readonly<Record<string, string>> | Wrong {
  const entries = typeof raw === 'string' ? raw.split(',').filter((pair) => pair !== '').map(splitPair) : objectEntries(raw)
  const ok = entries !== undefined && entries.every(([name, value]) => name !== '' && typeof value === 'string')
  return ok ? (Object.fromEntries(entries) as Record<string, string>) : new Wrong('name=value pairs, joined by commas')
}

function splitPair(pair: string): [string, string | undefined] {
  const at = pair.indexOf('=')
  return at === -1 ? [pair, undefined] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
}

function objectEntries(raw: unknown): [string, unknown][] | undefined {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? Object.entries(raw) : undefined
}

/** Texts, none of them with a comma: `a,b`, a flag given several times, or a list in a file. `type` is what one looks like. */
export function list(type: string, sentence: string): Setting<readonly string[]> {
  const parse = (raw: unknown) => {
    const all: unknown[] = Array.isArray(raw) ? raw : [raw]
    if (!all.every((one) => typeof one === 'string')) return new Wrong(`texts such as ${type}`)
    return all.flatMap((one) => one.split(',')).map((one) => one.trim()).filter((one) => one !== '')
  }
  return { type, initial: [], shown: '', sentence, parse }
}
