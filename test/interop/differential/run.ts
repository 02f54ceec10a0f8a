// Runs one case on one side, and holds what was seen against what is expected and against the other side.
import assert from 'node:assert/strict'
import { fromBinary, toJson } from '@bufbuild/protobuf'
import { prefixLength } from '../../../src/codec/grpc/frame.ts'
import type { Address } from '../../../src/model/address.ts'
import { formatAddress } from '../../../src/model/address.ts'
import { AttributeContextSchema } from '../../../src/proto/gen/envoy/service/auth/v3/attribute_context_pb.ts'
import { CheckRequestSchema } from '../../../src/proto/gen/envoy/service/auth/v3/external_auth_pb.ts'
import type { Backends, Delivery, Place } from './backends.ts'
import type { Answer, Answers, Ask, Case, Expected } from './case.ts'
import { ask, askMany } from './client.ts'
import type { Reply } from './client.ts'
import { accessLogNames, authorityOf, gatewayPortOf, hostAddress, hostsOf, namespaceOf, portOf, servicesOf, virtualAddress, workloadAddress } from './mesh-files.ts'
import type { Layout } from './mesh-files.ts'
import type { Role, Side } from './world.ts'

type LogLine = Readonly<Record<(typeof accessLogNames)[number], string>>

export interface Observed {
  readonly reply: Omit<Reply, 'clientPort'>
  readonly deliveries: readonly Delivery[]
  readonly log: readonly LogLine[]
  /** Of many requests: deliveries by host, and answers by status. */
  readonly shares: ReadonlyMap<string, number>
  readonly statuses: ReadonlyMap<number, number>
}

/** The backends of a case on one side. */
export function placesOf(one: Case, index: number, layout: Layout, backends: Backends): readonly Place[] {
  let host = 0
  return servicesOf(one).flatMap(([name, spec]) => {
    const shared = script(spec.answers ?? [200])
    return hostsOf(spec).map((own, number) => {
      const place: Place = { name: `${name}/${number}`, next: own.answers === undefined ? shared : script(own.answers), deliveries: [] }
      if (one.role === 'inbound') backends.put(workloadAddress(layout), layout.inboundPorts.get(index)!, place)
      else backends.put(hostAddress(layout, index, host++), layout.backendPort, place)
      return place
    })
  })
}

function script(answers: Answers): () => Answer {
  let at = 0
  return () => {
    const answer = answers[Math.min(at++, answers.length - 1)] ?? 200
    return typeof answer === 'number' ? { status: answer } : answer
  }
}

/** Where a request's connection was going before it was captured. */
export function destinationOf(one: Case, index: number, asked: Ask, layout: Layout): { readonly role: Role; readonly to: Address } {
  const role = one.role ?? 'outbound'
  if (role === 'inbound') return { role, to: { host: workloadAddress(layout), port: asked.port ?? layout.inboundPorts.get(index)! } }
  if (role === 'gateway') return { role, to: { host: '0.0.0.0', port: asked.port === 1 ? gatewayPortOf(index) : asked.port ?? 80 } }
  const services = servicesOf(one)
  const named = services.flatMap(([name, spec]) => hostsOf(spec).map((_, number) => `${name}/${number}`)).indexOf(asked.to ?? '')
  if (named >= 0) return { role, to: { host: hostAddress(layout, index, named), port: asked.port ?? layout.backendPort } }
  const at = Math.max(0, services.findIndex(([name]) => name === asked.to))
  const host = asked.to?.includes('.') === true ? asked.to.replace('$net', layout.net) : virtualAddress(index, at)
  return { role, to: { host, port: asked.port ?? portOf(services[at]![1]).number } }
}

export async function runCase(one: Case, index: number, side: Side, places: readonly Place[]): Promise<readonly Observed[]> {
  const seen: Observed[] = []
  for (const asked of one.asks) {
    for (const place of places) place.deliveries.length = 0
    const { role, to } = destinationOf(one, index, asked, side.layout)
    const door = side.door(role, to)
    const authority = hostOf(one, index, asked).replaceAll('$to', formatAddress(to))
    if (asked.times !== undefined) {
      const statuses = await askMany(door, authority, asked, asked.times)
      seen.push({ reply: nothing, deliveries: [], log: [], statuses, shares: sharesOf(places) })
      continue
    }
    const others = Array.from({ length: (asked.together ?? 1) - 1 }, () => ask(door, authority, asked))
    const { clientPort, ...reply } = await ask(door, authority, asked)
    const statuses = new Map<number, number>()
    for (const { status } of [reply, ...(await Promise.all(others))]) statuses.set(status, (statuses.get(status) ?? 0) + 1)
    const log = (await side.takeLog(clientPort, (line) => !isOfAnother(line, index))).map(readLine)
    seen.push({ reply, deliveries: places.flatMap(({ deliveries }) => [...deliveries]), log, shares: sharesOf(places), statuses })
  }
  return seen
}

/** `$NS` is the namespace in capitals. */
function hostOf(one: Case, index: number, { host = '$host' }: Ask): string {
  const namespace = namespaceOf(index)
  return host.replaceAll('$host', authorityOf(one, index)).replaceAll('$ns', namespace).replaceAll('$NS', namespace.toUpperCase())
}

const nothing: Observed['reply'] = { status: 0, headers: [], trailers: [], body: '', error: '', informational: [], ms: 0 }

const sharesOf = (places: readonly Place[]): ReadonlyMap<string, number> => new Map(places.map(({ name, deliveries }) => [name, deliveries.length]))

/** A port is used again, also by cases whose lines nobody takes. */
function isOfAnother(line: string, index: number): boolean {
  const found = /\b(?:c|in)(\d+)\.(?:svc|client|test|example)/.exec(line)
  return found !== null && Number(found[1]) !== index + 1
}

function readLine(line: string): LogLine {
  const fields = line.split('\t')
  return Object.fromEntries(accessLogNames.map((name, at) => [name, fields[at] ?? ''])) as LogLine
}

export function checkExpected(expected: Expected, asked: Ask, { reply, deliveries, log, shares, statuses }: Observed): void {
  const last = deliveries.at(-1)
  const line = log[0]
  const told = `\n${JSON.stringify({ reply, deliveries, log }, undefined, 1)}`
  if (expected.status !== undefined) {
    if (asked.times !== undefined) assert.deepEqual([...statuses], [[expected.status, asked.times]], 'status')
    else assert.equal(reply.status, expected.status, `status${told}`)
  }
  if (expected.body !== undefined) matches(reply.body, expected.body, `body${told}`)
  checkFields(expected.headers, reply.headers, `header of the answer%${told}`)
  checkFields(expected.trailers, reply.trailers, `trailer of the answer%${told}`)
  if (expected.to !== undefined) assert.deepEqual(deliveries.map(({ to }, at) => (expected.to![at]?.includes('/') === true ? to : serviceOf(to))), expected.to, `deliveries${told}`)
  if (expected.path !== undefined) assert.equal(last?.line.split(' ')[1], expected.path, `path that the backend saw${told}`)
  if (expected.seen !== undefined) checkFields(expected.seen, last?.headers ?? [], `header that the backend saw%${told}`)
  if (expected.seenBody !== undefined) matches(last?.body ?? '(none)', expected.seenBody, `body that the backend saw${told}`)
  if (expected.flags !== undefined) assert.equal(sortedFlags(line?.flags ?? 'no line'), sortedFlags(expected.flags), `flags${told}`)
  if (expected.details !== undefined) matches(line?.details ?? 'no line', expected.details, `details${told}`)
  if (expected.route !== undefined) assert.equal(line?.route, expected.route, `route${told}`)
  if (expected.cluster !== undefined) matches(line?.cluster.replace(/c\d+/, '$ns') ?? 'no line', expected.cluster, `cluster${told}`)
  if (expected.atLeastMs !== undefined) assert.ok(reply.ms >= expected.atLeastMs - 5, `took ${reply.ms} ms`)
  for (const [name, share] of Object.entries(expected.share ?? {})) checkShare(name, share, shares)
}

/** Within five standard deviations of a binomial: once in two million. */
function checkShare(name: string, share: number, shares: ReadonlyMap<string, number>): void {
  const total = [...shares.values()].reduce((sum, one) => sum + one, 0)
  const count = [...shares].filter(([host]) => host === name || serviceOf(host) === name).reduce((sum, [, one]) => sum + one, 0)
  const allowed = 5 * Math.sqrt(total * share * (1 - share)) + 1
  assert.ok(Math.abs(count - total * share) <= allowed, `${name} got ${count} of ${total}, not about ${share}`)
}

const serviceOf = (host: string): string => host.split('/')[0]!

function matches(actual: string, expected: string | RegExp, about: string): void {
  if (typeof expected === 'string') assert.equal(actual, expected, about)
  else assert.match(actual, expected, about)
}

function checkFields(expected: Readonly<Record<string, string | RegExp | null>> | undefined, actual: readonly (readonly [string, string])[], about: string): void {
  for (const [name, value] of Object.entries(expected ?? {})) {
    const found = actual.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, text]) => text)
    const said = about.replace('%', ` ${name}`)
    if (value === null) assert.deepEqual(found, [], said)
    else matches(found.length === 0 ? '(none)' : found.join(' & '), value, said)
  }
}

/** What Istio's build of Envoy adds as ours does, and plain Envoy does not. */
const istioProxyOnly = [
  'deliveries.headers.x-envoy-peer-metadata', 'deliveries.headers.x-envoy-peer-metadata-id', 'deliveries.headers.x-envoy-decorator-operation',
  'reply.headers.x-envoy-peer-metadata', 'reply.headers.x-envoy-peer-metadata-id', 'reply.headers.x-envoy-decorator-operation',
]

/** What both sides must share, with what is another each time taken out. */
export function comparable(one: Case, asked: Ask, { reply, deliveries, log, statuses }: Observed, { layout }: Side): unknown {
  const several = servicesOf(one).some(([, spec]) => hostsOf(spec).length > 1)
  const whole = {
    statuses: Object.fromEntries(statuses),
    ...(asked.times === undefined && {
      reply: { status: reply.status, headers: fields(reply.headers), trailers: fields(reply.trailers), body: reply.body, error: reply.error, informational: reply.informational },
      deliveries: deliveries.map(({ to, line, headers, trailers, body, complete }) => ({ to: several ? serviceOf(to) : to, line, headers: fields(headers), trailers: fields(trailers), body: readableBody(line, body), complete })),
      log: log.map(({ client: _client, ...line }) => ({ ...line, details: steadyDetails(line.details), flags: sortedFlags(line.flags), ...(several && { upstream: line.upstream === '-' ? '-' : 'one of them' }) })),
    }),
  }
  const text = JSON.stringify(whole).replaceAll(networkOf(layout), 'NET.')
  return without(JSON.parse(text) as Record<string, unknown>, [...istioProxyOnly, ...(one.loose ?? [])])
}

interface Attributes extends Record<string, unknown> {
  readonly request?: { readonly http?: Record<string, unknown> & { readonly headers: Record<string, string> } }
  readonly source: { readonly principal?: string }
  readonly destination: { readonly principal?: string }
}

/** What a provider of ext_authz is asked over gRPC, without what is another each time. */
function readableBody(line: string, body: string): unknown {
  if (!line.startsWith('POST /envoy.service.auth.v3.Authorization/Check ')) return body
  const { attributes } = fromBinary(CheckRequestSchema, Buffer.from(body, 'latin1').subarray(prefixLength))
  const { request, source, destination, ...rest } = toJson(AttributeContextSchema, attributes!) as Attributes
  // About a connection.
  if (request?.http === undefined) return rest
  const { headers, ...http } = request.http
  return { ...rest, http: { ...http, id: 'an id' }, headers: fields(Object.entries(headers)), principals: [source.principal, destination.principal] }
}

/** All addresses of a side, wherever they stand. */
function networkOf({ net }: Layout): RegExp {
  const second = Number(net.split('.')[1])
  return new RegExp(`\\b127\\.(?:${second}|${second + 2}|${second + 4})\\.`, 'g')
}

/** Every leaf that is not the same, in words. */
export function differences(ours: unknown, theirs: unknown, at = ''): readonly string[] {
  if (isObject(ours) && isObject(theirs)) {
    const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)])
    return [...keys].flatMap((key) => differences(ours[key], theirs[key], `${at}.${key}`))
  }
  if (isTexts(ours) && isTexts(theirs)) {
    return [...ours.filter((one) => !theirs.includes(one)).map((one) => `${at}: only ours has ${one}`), ...theirs.filter((one) => !ours.includes(one)).map((one) => `${at}: only Envoy has ${one}`)]
  }
  return JSON.stringify(ours) === JSON.stringify(theirs) ? [] : [`${at}: ours ${JSON.stringify(ours)}, Envoy ${JSON.stringify(theirs)}`]
}

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((one) => typeof one === 'string')
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !isTexts(value)

/** Their order says nothing; what differs from request to request is only there or not. */
function fields(headers: readonly (readonly [string, string])[]): readonly string[] {
  return headers.map(([name, value]) => `${name}: ${steady(name.toLowerCase(), value)}`).sort()
}

/** Which rule of HTTP a request breaks: Envoy's parser mostly says `codec_error`, ours says which. */
const steadyDetails = (details: string): string => details.replace(/^http1?\..*/, 'http1')

/** Envoy lists them in the order in which they came up, ours always in the same. */
const sortedFlags = (flags: string): string => flags.split(',').sort().join(',')

function steady(name: string, value: string): string {
  if (name === 'date') return 'DATE'
  // Envoy names itself where the client is on loopback.
  if (name === 'x-forwarded-for') return value.replace(/[^,]+$/, 'CLIENT')
  if (name === 'x-envoy-upstream-service-time') return value.replace(/^\d+$/, 'MS')
  return value.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
}

/** `log.details`, `reply.headers.via`. */
function without(value: unknown, paths: readonly string[]): unknown {
  for (const path of paths) drop(value, path.split('.'))
  return value
}

function drop(value: unknown, [step = '', ...rest]: readonly string[]): void {
  if (Array.isArray(value)) {
    for (const part of value as unknown[]) drop(part, [step, ...rest])
    return
  }
  if (typeof value !== 'object' || value === null) return
  const object = value as Record<string, unknown>
  const inner = object[step]
  if (rest.length === 0) delete object[step]
  else if (step === 'headers' && Array.isArray(inner)) object[step] = (inner as string[]).filter((line) => !line.toLowerCase().startsWith(`${rest.join('.').toLowerCase()}:`))
  else drop(inner, rest)
}
