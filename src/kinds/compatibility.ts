// docs/compatibility.md, made from what the kinds check with: their schemas and their rows of what is not served. So the
// document says what `trysail validate` says.
import { z } from 'zod'
import { wholeSchema } from './check.ts'
import { meshConfigNotServed, meshConfigSchema } from './core/mesh-config.ts'
import type { Kind, NeverServed, NotServed } from './kind.ts'
import { isRefused, laterKinds, laterMessage } from './known.ts'
import { choicesOf, fieldsOf, itemOf, unwrap, valueOf } from './schema.ts'
import { kinds } from './table.ts'

type Schema = Parameters<typeof unwrap>[0]

/** A kind, or a part that has a chapter of its own. */
interface Subject {
  readonly title: string
  readonly versions: string
  readonly schema: Schema
  readonly notServed: readonly NotServed[]
  readonly neverServed: readonly NeverServed[]
}

interface Line {
  /** Relative to the subject. */
  readonly path: string
  readonly type: string
  readonly status: string
}

const served = 'served'
const asThere = 'as there'

export function compatibility(): string {
  const subjects = [...kinds.map(subjectOf), meshConfig]
  const chapters = subjects.map((subject) => ({ subject, lines: linesOf(subject) }))
  const overview = chapters.map(({ subject, lines }) => `| [${subject.title}](#${subject.title.toLowerCase()}) | ${subject.versions} | ${lines.filter(({ status }) => status !== asThere).length} | ${lines.filter(({ status }) => status === served).length} |`)
  return [
    '# Compatibility, field by field',
    '',
    '<!-- Made by `npm run compatibility` from src/kinds. Do not edit. -->',
    '',
    "Every field of the kinds that the mesh reads. *Served*: the control plane translates it and our proxies do what it says.",
    "*Not served yet*: it is checked and accepted, and `trysail validate`, the control plane's log and its status warn of it.",
    "*Refused* and *ignored*: as by Istio itself, or since it sets up Istio's own proxies. *Not read*: it asks nothing of a mesh. Any other field is unknown, which is an error.",
    '',
    '| Kind | Versions | Fields | Served |',
    '|---|---|---|---|',
    ...overview,
    '',
    'Known and not served at all yet, with a warning: ' + laterKinds.filter(([group, kind]) => !isRefused(group, kind)).map(([group, kind]) => `${kind} (${group})`).join(', ') + '.',
    '',
    ...laterKinds.filter(([group, kind]) => isRefused(group, kind)).map(([group, kind]) => `${laterMessage(group, kind)}.`),
    '',
    ...chapters.flatMap(({ subject, lines }) => [
      `## ${subject.title}`, '', '| Field | Type | Status |', '|---|---|---|', ...lines.map(({ path, type, status }) => `| \`${path}\` | ${cell(type)} | ${cell(status)} |`), '',
    ]),
  ].join('\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*')

function subjectOf(kind: Kind): Subject {
  return {
    title: kind.kind,
    versions: kind.versions.map((version) => (kind.group === '' ? version : `${kind.group}/${version}`)).join(', '),
    schema: kind.body === 'spec' ? kind.schema : bodyOf(kind),
    notServed: kind.notServed,
    neverServed: kind.neverServed ?? [],
  }
}

/** Without what every object has. */
function bodyOf(kind: Kind): Schema {
  const fields = Object.entries(fieldsOf(wholeSchema(kind)) ?? {}).filter(([name]) => !['apiVersion', 'kind', 'metadata'].includes(name))
  return z.object(Object.fromEntries(fields) as Record<string, z.ZodType>)
}

const meshConfig: Subject = {
  title: 'MeshConfig', versions: 'key `mesh` of the ConfigMap `istio`', schema: meshConfigSchema, notServed: meshConfigNotServed, neverServed: [],
}

function linesOf(subject: Subject): readonly Line[] {
  return new Chapter(subject).lines('', subject.schema)
}

/** A part that comes again in the same state is named instead of listed again. */
class Chapter {
  readonly #subject: Subject
  readonly #known = new Map<Schema, { readonly path: string; readonly lines: string }>()

  constructor(subject: Subject) {
    this.#subject = subject
  }

  lines(path: string, schema: Schema): Line[] {
    return Object.entries(fieldsOf(schema) ?? {}).flatMap(([name, field]) => this.#field(path === '' ? name : `${path}.${name}`, field))
  }

  #field(path: string, field: Schema): Line[] {
    const { inner, suffix } = contained(field)
    const status = this.#statusOf(path)
    const fields = fieldsOf(inner)
    if (fields === undefined || status !== served || Object.keys(fields).length === 0) return [{ path, type: typeOf(field), status }]
    return this.#object(`${path}${suffix}`, typeOf(field), inner, Object.keys(fields))
  }

  #object(path: string, type: string, inner: Schema, names: readonly string[]): Line[] {
    const lines = this.lines(path, inner)
    const small = names.length <= 3 && lines.length === names.length && lines.every((one) => one.status === served && !/[{`]/.test(one.type))
    if (small) return [{ path: path.replace(/(\[\]|\{\})+$/, ''), type, status: served }]
    const key = JSON.stringify(lines.map((line) => ({ ...line, path: line.path.slice(path.length) })))
    const known = this.#known.get(unwrap(inner))
    if (known?.lines === key) return [{ path, type: `as \`${known.path}\``, status: asThere }]
    this.#known.set(unwrap(inner), { path, lines: key })
    return lines
  }

  #statusOf(path: string): string {
    const never = this.#subject.neverServed.find((row) => row.path === path || (row.keys !== undefined && row.path === `${path}{}`))
    if (never?.keys !== undefined) return `served, but for ${never.keys.called}, which ${never.message}`
    if (never !== undefined) return never.severity === 'error' ? `refused: ${never.message}` : never.message.replace(/^is /, '')
    const rows = this.#subject.notServed.filter((row) => row.path === path || (row.keys !== undefined && row.path === `${path}{}`))
    if (rows.length === 0) return served
    return rows.map((row) => {
      if (row.quiet !== undefined) return row.quiet
      const only = row.keys?.called ?? row.texts?.called ?? row.values?.join(', ') ?? (row.except === undefined ? undefined : `anything but ${row.except.join(', ')}`)
      return `${only === undefined ? 'not served yet' : `not served yet: ${only}`}${row.instead === undefined ? '' : ` (${row.instead})`}`
    }).join('; ')
  }
}

/** What stands in lists and maps, and how a path says that it does. */
function contained(schema: Schema): { inner: Schema; suffix: string } {
  const item = itemOf(schema)
  if (item !== undefined) return nested(item, '[]')
  const inMap = valueOf(schema)
  return inMap === undefined ? { inner: schema, suffix: '' } : nested(inMap, '{}')
}

function nested(schema: Schema, suffix: string): { inner: Schema; suffix: string } {
  const deeper = contained(schema)
  return { inner: deeper.inner, suffix: `${suffix}${deeper.suffix}` }
}

/** As the kind names it, else by its shape. */
function typeOf(schema: Schema): string {
  const named = namedType(schema)
  if (named !== undefined) return named
  const choices = choicesOf(schema)
  if (choices !== undefined) return choices.join(' | ')
  const item = itemOf(schema)
  if (item !== undefined) return `list of ${typeOf(item)}`
  const inMap = valueOf(schema)
  if (inMap !== undefined) return `map of ${typeOf(inMap)}`
  const fields = fieldsOf(schema)
  if (fields !== undefined) return Object.keys(fields).length === 0 ? 'object' : `{ ${Object.keys(fields).join(', ')} }`
  const { type } = (unwrap(schema) as z.ZodType)._zod.def
  return ({ unknown: 'anything', custom: 'text' } as Readonly<Record<string, string>>)[type] ?? type
}

/** Of the nearest schema that has a name, through optional, default and the like. */
function namedType(schema: Schema): string | undefined {
  const meta = z.globalRegistry.get(schema as z.ZodType)
  if (meta !== undefined && typeof meta['type'] === 'string') return meta['type']
  const { def } = (schema as z.ZodType)._zod
  return 'innerType' in def ? namedType(def.innerType as Schema) : undefined
}
