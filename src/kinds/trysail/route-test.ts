// RouteTest: what requests should meet in the mesh, for `trysail test`. The mesh itself takes no notice of it.
import { z } from 'zod'
import { isIP } from '../fields/host.ts'
import { isHeaderName } from '../fields/headers.ts'
import type { FieldPath } from '../../model/resource.ts'
import { error, warning } from '../kind.ts'
import type { Finding, Frozen, Kind, Rule } from '../kind.ts'
import { expectation } from './expectation.ts'

/** Far more than people write; a generated file can have them. */
const maxTests = 10_000

const urlShape = /^(https?|tcp|tls):\/\/(\[[0-9a-f:.]+\]|[^/?#\s:[\]@]+)(:\d{1,5})?([/?][^#\s]*)?$/i

const headers = z
  .record(z.string(), z.string())
  .superRefine((map, context) => {
    for (const name of Object.keys(map)) {
      if (!isHeaderName(name)) context.addIssue({ code: 'custom', message: 'is not the name of a header', path: [name] })
    }
  })
  .meta({ type: 'map of string' })

const request = z.strictObject({
  method: z.string().refine((text) => /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(text), 'must be a method such as GET').optional(),
  /** `http://reviews:9080/reviews/1`; `tcp://db:5432` and `tls://db:5432` are connections. */
  url: z.string().max(16_384).refine((text) => urlShape.test(text), 'must be a URL such as http://reviews:9080/reviews/1 (http, https, tcp or tls)').optional(),
  /** Takes the place of the path and query of the URL. */
  path: z.string().max(16_384).refine((text) => /^\/[^#\s]*$/.test(text), 'must be a path that begins with /').optional(),
  headers: headers.optional(),
  /** Of the ClientHello, where it is not the host of the URL. */
  sni: z.string().min(1).optional(),
  /** Whence the client comes, where it is not its workload's own address. */
  sourceIP: z.string().refine(isIP, 'must be an IP address').optional(),
})

/** One row of a table: a test's own request, changed. */
const row = request.extend({
  name: z.string().min(1).optional(),
  from: z.string().min(1).optional(),
  expect: expectation.optional(),
  not: expectation.optional(),
})

const defaults = z.strictObject({
  /** A Pod, Process, Deployment or Gateway: `namespace/name`, or one of this namespace. */
  from: z.string().min(1).optional(),
  request: request.optional(),
  /** All of these hold. */
  expect: expectation.optional(),
  /** None of these holds; `retries: {}` is any retries at all. */
  not: expectation.optional(),
})

const schema = z.strictObject({
  /** What tests have that do not say otherwise. */
  defaults: defaults.optional(),
  tests: z.array(defaults.extend({
    name: z.string().min(1),
    requests: z.array(row).min(1, 'must have a request, or be left out').max(maxTests).optional(),
  })).min(1, 'must have a test').max(maxTests),
})

export type RouteTest = z.infer<typeof schema>
export type RouteTestSpec = Frozen<RouteTest>

type Test = RouteTestSpec['tests'][number]
type Row = NonNullable<Test['requests']>[number]

const isEmpty = (value: object | undefined): boolean => Object.keys(value ?? {}).length === 0

/** Each case that a test stands for, with its place in it. */
function casesOf(test: Test): readonly (readonly [at: FieldPath, row: Row])[] {
  return test.requests === undefined ? [[[], {}]] : test.requests.map((one, index) => [['requests', index], one])
}

/** What would be looked for nowhere: a place to send to from which nobody sends, a test that nothing can fail. */
function* incomplete(spec: RouteTestSpec, test: Test): Iterable<Finding> {
  const { defaults: shared } = spec
  for (const [at, one] of casesOf(test)) {
    if ((one.from ?? test.from ?? shared?.from) === undefined) yield [at, 'needs from: who sends the request, such as productpage-v1 or default/bookinfo-gateway']
    if ((one.url ?? test.request?.url ?? shared?.request?.url) === undefined) yield [at, 'needs the URL of a request, such as request: { url: http://reviews:9080/ }']
    if ([one, test, shared].every((level) => isEmpty(level?.expect) && isEmpty(level?.not))) yield [at, 'expects nothing: give it expect or not']
  }
}

const rules: readonly Rule<RouteTest>[] = [
  error(function* (spec) {
    for (const [index, test] of spec.tests.entries()) {
      for (const [at, message] of incomplete(spec, test)) yield [['tests', index, ...at], message]
    }
  }),
  error(function* (spec) {
    for (const [at, one] of levelsOf(spec)) {
      if (one.expect?.destination !== undefined && one.expect.destinations !== undefined) {
        yield [[...at, 'expect', 'destinations'], 'destination says already where everything goes: keep one of them']
      }
    }
  }),
  warning(function* (spec) {
    const seen = new Map<string, number>()
    for (const [index, { name }] of spec.tests.entries()) {
      const first = seen.get(name)
      if (first === undefined) seen.set(name, index)
      else yield [['tests', index, 'name'], `tests[${first}] has the name ${JSON.stringify(name)} already`]
    }
  }),
]

function* levelsOf({ defaults: shared, tests }: RouteTestSpec): Iterable<readonly [at: FieldPath, level: Pick<Row, 'expect'>]> {
  if (shared !== undefined) yield [['defaults'], shared]
  for (const [index, test] of tests.entries()) {
    yield [['tests', index], test]
    for (const [position, one] of (test.requests ?? []).entries()) yield [['tests', index, 'requests', position], one]
  }
}

export const routeTest: Kind<RouteTest> = {
  kind: 'RouteTest',
  group: 'trysail.dev',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules,
  notServed: [],
}
