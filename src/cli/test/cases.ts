// RouteTests as single cases: what all tests share, a test and a row of its table become one request and what it should meet.
import type { RouteTestSpec } from '../../kinds/trysail/route-test.ts'
import { ofKind } from '../../kinds/table.ts'
import { describe } from '../../lib/errors.ts'
import type { FieldPath, Origin, Resource } from '../../model/resource.ts'
import { parseRequest } from '../request-line.ts'
import type { AskedRequest } from '../request-line.ts'

type Level = NonNullable<RouteTestSpec['defaults']>
export type Expectation = NonNullable<Level['expect']>
type Request = NonNullable<Level['request']>
type Test = RouteTestSpec['tests'][number]
type Row = NonNullable<Test['requests']>[number]

/** One field that must be so, or must not be. */
export interface Expected {
  readonly field: keyof Expectation
  readonly value: NonNullable<Expectation[keyof Expectation]>
  readonly negated: boolean
  readonly origin: () => Origin
}

export interface Case {
  /** The RouteTest, `namespace/name`. */
  readonly suite: string
  readonly name: string
  readonly origin: Origin
  readonly from: string
  /** Undefined: it could not be read; `problem` says why. */
  readonly asked: AskedRequest | undefined
  readonly problem: string | undefined
  readonly expected: readonly Expected[]
}

export function casesIn(resources: readonly Resource[]): readonly Case[] {
  return ofKind(resources, 'RouteTest').flatMap((resource) => resource.spec.tests.flatMap((test, index) => {
    if (test.requests === undefined) return [caseOf(resource, index, test)]
    return test.requests.map((row, position) => caseOf(resource, index, test, { row, position }))
  }))
}

interface PlacedRow {
  readonly row: Row
  readonly position: number
}

/** A part that can expect something, and where it stands. */
type Placed = readonly [at: FieldPath, level: Pick<Level, 'expect' | 'not'> | undefined]

function caseOf(resource: Resource<RouteTestSpec>, index: number, test: Test, placed?: PlacedRow): Case {
  const { spec: { defaults }, metadata: { namespace, name } } = resource
  const row = placed?.row
  const at: FieldPath = ['spec', 'tests', index]
  const rowAt: FieldPath = placed === undefined ? at : [...at, 'requests', placed.position]
  const from = row?.from ?? test.from ?? defaults?.from ?? ''
  const levels: readonly Placed[] = [[['spec', 'defaults'], defaults], [at, test], [rowAt, row]]
  return {
    suite: `${namespace}/${name}`,
    name: placed === undefined ? test.name : `${test.name} / ${row?.name ?? placed.position}`,
    origin: resource.locate(rowAt),
    from: from.includes('/') ? from : `${namespace}/${from}`,
    ...askedOf([defaults?.request, test.request, row]),
    expected: [...expectedOf(resource, levels, 'expect'), ...expectedOf(resource, levels, 'not')],
  }
}

function askedOf(levels: readonly (Request | undefined)[]): Pick<Case, 'asked' | 'problem'> {
  const { method = 'GET', url = '', path, headers = {}, sni, sourceIP } = levels.reduce<Request>(merged, {})
  try {
    const asked = parseRequest(`${method} ${url}`, Object.entries(headers).map(([name, value]) => `${name}: ${value}`), sni)
    return { asked: { ...asked, path: path ?? asked.path, sourceIp: sourceIP }, problem: undefined }
  } catch (error) {
    return { asked: undefined, problem: describe(error) }
  }
}

/** The nearer one wins; headers are joined, and a path stands for that of a URL from further away. */
function merged(outer: Request, inner: Request | undefined): Request {
  if (inner === undefined) return outer
  const { method, url, headers, sni, sourceIP } = inner
  return {
    method: method ?? outer.method,
    url: url ?? outer.url,
    path: inner.path ?? (url === undefined ? outer.path : undefined),
    headers: headers === undefined ? outer.headers : joined(outer.headers ?? {}, headers),
    sni: sni ?? outer.sni,
    sourceIP: sourceIP ?? outer.sourceIP,
  }
}

/** Names of headers have no case. */
function joined(outer: Readonly<Record<string, string>>, inner: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const lower = (headers: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return { ...lower(outer), ...lower(inner) }
}

/** Of each field the nearest that is written. */
function expectedOf(resource: Resource, levels: readonly Placed[], list: 'expect' | 'not'): readonly Expected[] {
  const found = new Map<keyof Expectation, Expected>()
  for (const [at, level] of levels) {
    for (const [name, value] of Object.entries(level?.[list] ?? {})) {
      if (value === undefined) continue
      const field = name as keyof Expectation
      if (field === 'destination' || field === 'destinations') forget(found)
      found.set(field, { field, value, negated: list === 'not', origin: () => resource.locate([...at, list, field]) })
    }
  }
  return [...found.values()]
}

/** One destination and a list of them are two ways to say one thing. */
function forget(found: Map<keyof Expectation, Expected>): void {
  found.delete('destination')
  found.delete('destinations')
}
