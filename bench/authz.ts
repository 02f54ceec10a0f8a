// How long the policies of a workload take for one request, with ten AuthorizationPolicies and with a thousand, as a ratio:
// from their YAML, as the proxy compiles them. In one process, without sockets: `npm run bench:authz`.
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'
import type { AuthorizationPolicy } from '../src/control/snapshot/authorization.ts'
import { httpAuthorization } from '../src/control/translate/security/authorization.ts'
import { parseDocuments } from '../src/kinds/parse.ts'
import { RBACSchema } from '../src/proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RbacCounters } from '../src/proxy/rbac/counters.ts'
import { compileEngines } from '../src/proxy/rbac/engine.ts'
import type { RbacEngine } from '../src/proxy/rbac/engine.ts'
import type { RbacFacts } from '../src/security/rbac/expression.ts'

const few = 10
const many = 1_000
const decisions = 100_000
const rounds = 9

/** Of one length: what costs is how many lengths of prefixes there are, not how many prefixes. */
const padded = (i: number): string => String(i).padStart(4, '0')

/** The rule of the i-th policy, and a request that the last one of `count` is for. */
const shapes: Readonly<Record<string, { readonly rule: (i: number) => object; readonly asked: (last: number) => Partial<RbacFacts> & { readonly path: string } }>> = {
  'a path each': { rule: (i) => ({ to: [{ operation: { methods: ['GET'], paths: [`/service-${padded(i)}/*`] } }] }), asked: (last) => ({ path: `/service-${padded(last)}/items` }) },
  'a principal each': {
    rule: (i) => ({ from: [{ source: { principals: [`cluster.local/ns/team-${i}/sa/client`] } }], to: [{ operation: { methods: ['GET'] } }] }),
    asked: (last) => ({ path: '/', identities: [`spiffe://cluster.local/ns/team-${last}/sa/client`] }),
  },
  'a namespace each': { rule: (i) => ({ from: [{ source: { namespaces: [`team-${i}`] } }] }), asked: (last) => ({ path: '/', identities: [`spiffe://cluster.local/ns/team-${last}/sa/client`] }) },
  'a header each': { rule: (i) => ({ when: [{ key: 'request.headers[x-tenant]', values: [`t${i}`] }] }), asked: (last) => ({ path: '/', header: (name) => ({ ':method': 'GET', 'x-tenant': `t${last}` })[name] }) },
}

function engineOf(count: number, rule: (i: number) => object): RbacEngine {
  const documents = Array.from({ length: count }, (_, i) => JSON.stringify({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name: `p${i}` }, spec: { rules: [rule(i)] } }))
  const policies = parseDocuments(documents.join('\n---\n'), 'bench.yaml').resources as readonly AuthorizationPolicy[]
  const [filter] = httpAuthorization(policies, { trustDomain: 'cluster.local', trustDomainAliases: [] })
  const config = (filter!.configType as { readonly value: Any }).value
  return compileEngines(anyUnpack(config, RBACSchema)!, '', new RbacCounters()).enforced!
}

function nanoseconds(engine: RbacEngine, facts: RbacFacts): number {
  const began = process.hrtime.bigint()
  for (let i = 0; i < decisions; i++) if (!engine.decide(facts).allowed) throw new Error('denied')
  return Number(process.hrtime.bigint() - began) / decisions
}

const median = (values: readonly number[]): number => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!

const base: RbacFacts = {
  identities: undefined, serverName: '', destinationPort: 9080, path: '/', ip: () => undefined, header: (name) => (name === ':method' ? 'GET' : undefined), metadata: () => undefined,
}

for (const [title, { rule, asked }] of Object.entries(shapes)) {
  const sides = [few, many].map((count) => ({ engine: engineOf(count, rule), facts: { ...base, ...asked(count - 1) }, times: [] as number[] }))
  for (let round = 0; round < rounds; round++) for (const { engine, facts, times } of sides) times.push(nanoseconds(engine, facts))
  const [one, other] = sides.map(({ times }) => median(times)) as [number, number]
  console.log(`${title}: ${few}: ${one.toFixed(0)} ns, ${many}: ${other.toFixed(0)} ns a decision, ratio ${(other / one).toFixed(2)}`)
}
