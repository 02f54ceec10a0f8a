// Text to resources: every object of every document, checked by its kind. The face of src/kinds.
import { nearest } from '../lib/nearest.ts'
import type { Issue, Resource, Severity } from '../model/resource.ts'
import { compileKind } from './check.ts'
import type { CheckObject, Locate } from './check.ts'
import { readDocuments } from './document.ts'
import { knownKind, knownNames, laterKinds, laterMessage, ownGroups } from './known.ts'
import { kinds } from './table.ts'

/** One object of a text, with all that was found about it. */
export interface ParsedObject {
  readonly file: string
  readonly line: number
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** `read` by the mesh; known, but served `later`; `inert`: none of its business; `unknown`. */
  readonly handling: 'read' | 'later' | 'inert' | 'unknown'
  /** Undefined when it has errors, or is not read. */
  readonly resource: Resource | undefined
  readonly issues: readonly Issue[]
}

export interface Parsed {
  readonly resources: readonly Resource[]
  /** Of all objects, and of documents that could not be read. */
  readonly issues: readonly Issue[]
  readonly objects: readonly ParsedObject[]
}

interface Row {
  readonly versions: readonly string[]
  readonly check: CheckObject
}

const rows: ReadonlyMap<string, Row> = new Map(
  kinds.map((kind) => [`${kind.group}/${kind.kind}`, { versions: kind.versions, check: compileKind(kind) }]),
)

/** Never throws for what the text holds. */
export function parseDocuments(text: string, file: string): Parsed {
  const { objects, issues } = readDocuments(text, file)
  const parsed = objects.map(({ value, locate }) => parseObject(value, locate))
  return {
    resources: parsed.flatMap((one) => (one.resource === undefined ? [] : [one.resource])),
    issues: [...issues, ...parsed.flatMap((one) => one.issues)],
    objects: parsed,
  }
}

/** One object that some source already holds as a value. */
export function parseObject(value: unknown, locate: Locate): ParsedObject {
  const { line, file } = locate([])
  const named = { file, line, ...namesOf(value) }
  const issue = (severity: Severity, at: string, message: string): Issue => ({ severity, message, path: [at], origin: locate([at]) })
  const without = (handling: ParsedObject['handling'], ...issues: Issue[]): ParsedObject => ({ ...named, handling, resource: undefined, issues })

  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return without('unknown', { severity: 'error', message: 'is no object with apiVersion, kind and metadata', path: [], origin: locate([]) })
  }
  if (named.kind === '') return without('unknown', issue('error', 'kind', 'needs a kind'))
  if (named.apiVersion === '') return without('unknown', issue('error', 'apiVersion', 'needs an apiVersion'))
  const { group, version } = splitVersion(named.apiVersion)
  const row = rows.get(`${group}/${named.kind}`)
  if (row === undefined) return unread(group, named.kind)
  if (!row.versions.includes(version)) {
    const known = row.versions.map((one) => (group === '' ? one : `${group}/${one}`)).join(', ')
    return without('unknown', issue('error', 'apiVersion', `${named.kind} has no version ${named.apiVersion}: it is one of ${known}`))
  }
  return { ...named, handling: 'read', ...row.check(value, locate) }

  function unread(ofGroup: string, kind: string): ParsedObject {
    const known = knownKind(ofGroup, kind)
    if (known === 'later') return without('later', issue('warning', 'kind', laterMessage(ofGroup, kind)))
    if (known === 'inert') return without('inert')
    if (!ownGroups.has(ofGroup)) return stranger(ofGroup, kind)
    return without('unknown', issue('error', 'kind', `nobody knows the kind ${JSON.stringify(kind)} of ${named.apiVersion}${cure(kind)}`))
  }

  /** Somebody else's custom resource; or ours, with a mistyped group, which must not pass in silence. */
  function stranger(ofGroup: string, kind: string): ParsedObject {
    const meant = nearest(ofGroup, groupsOf(kind))
    if (meant !== undefined) return without('unknown', issue('error', 'apiVersion', `nobody knows the group "${ofGroup}"; did you mean ${meant}?`))
    const own = kinds.find((one) => one.kind === kind && one.group.includes('.'))
    if (own === undefined) return without('inert')
    return without('inert', issue('warning', 'apiVersion', `the mesh does not read the ${kind} of ${ofGroup}: its own is ${own.group}/${own.versions[0]}`))
  }
}

const groupsOf = (kind: string): readonly string[] => [
  ...kinds.filter((one) => one.kind === kind).map(({ group }) => group),
  ...laterKinds.filter(([, name]) => name === kind).map(([group]) => group),
]

function cure(kind: string): string {
  const right = kinds.find((one) => one.kind === kind)
  if (right !== undefined) return `; the ${kind} of the mesh is ${right.group === '' ? right.versions[0] : `${right.group}/${right.versions[0]}`}`
  const near = nearest(kind, [...kinds.map((one) => one.kind), ...knownNames])
  return near === undefined ? '' : `; did you mean ${near}?`
}

function namesOf(value: unknown): Pick<ParsedObject, 'apiVersion' | 'kind' | 'namespace' | 'name'> {
  const object = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const meta = (typeof object['metadata'] === 'object' && object['metadata'] !== null ? object['metadata'] : {}) as Record<string, unknown>
  const text = (one: unknown): string => (typeof one === 'string' ? one : '')
  return { apiVersion: text(object['apiVersion']), kind: text(object['kind']), namespace: text(meta['namespace']), name: text(meta['name']) }
}

function splitVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? { group: '', version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}
