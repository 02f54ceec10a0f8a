// How long a proxy takes to find the route of a request, with one host or route and with 5,000 of them, as a ratio, and what
// 5,000 cost in memory. In one process, without sockets: `node bench/route-lookup.ts`.
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { HeaderList } from '../src/codec/header-list.ts'
import { RouteConfigurationSchema } from '../src/proto/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteSchema } from '../src/proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { compileRoutes, findRoute } from '../src/proxy/http/router/compile.ts'
import type { CompiledRoutes } from '../src/proxy/http/router/compile.ts'
import type { RoutedRequest } from '../src/proxy/http/router/request.ts'

const many = 5_000
const lookups = 200_000
const rounds = 9

type RouteInit = MessageInitShape<typeof RouteSchema>
const to = (value: string): NonNullable<RouteInit['action']> => ({ case: 'route', value: { clusterSpecifier: { case: 'cluster', value } } })
const route = (i: number): RouteInit => ({ match: { pathSpecifier: { case: 'prefix', value: `/service-${i}/` } }, action: to(`c${i}`) })
const domains = (i: number): string[] => [`svc-${i}.ns.svc.cluster.local`, `svc-${i}.ns.svc`, `svc-${i}.ns`]

const hosts = (count: number): CompiledRoutes => compileRoutes(create(RouteConfigurationSchema, {
  ignorePortInHostMatching: true,
  virtualHosts: Array.from({ length: count }, (_, i) => ({ name: `h${i}`, domains: domains(i), routes: [route(i)] })),
}))
const routes = (count: number): CompiledRoutes => compileRoutes(create(RouteConfigurationSchema, {
  ignorePortInHostMatching: true,
  virtualHosts: [{ name: 'h0', domains: domains(0), routes: Array.from({ length: count }, (_, i) => route(i)) }],
}))

/** Requests for the last of them, which is the worst. */
const requestFor = (host: number, path: number): RoutedRequest =>
  ({ method: 'GET', scheme: 'http', authority: `svc-${host}.ns.svc.cluster.local:9080`, pathname: `/service-${path}/items/1`, query: '', requestHeaders: HeaderList.of('x-a', '1') })

function nanoseconds(table: CompiledRoutes, request: RoutedRequest): number {
  const began = process.hrtime.bigint()
  for (let i = 0; i < lookups; i++) if (findRoute(table.findVirtualHost(request.authority)!, request, Math.random) === undefined) throw new Error('no route')
  return Number(process.hrtime.bigint() - began) / lookups
}

const median = (values: readonly number[]): number => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!

/** In turns, so that what else the machine does meets both. */
function compare(title: string, one: [CompiledRoutes, RoutedRequest], other: [CompiledRoutes, RoutedRequest]): void {
  const times: [number, number][] = []
  for (let round = 0; round < rounds; round++) times.push([nanoseconds(...one), nanoseconds(...other)])
  const [few, lots] = [median(times.map(([time]) => time)), median(times.map(([, time]) => time))]
  console.log(`${title}: 1: ${few.toFixed(0)} ns, ${many}: ${lots.toFixed(0)} ns a look-up, ratio ${(lots / few).toFixed(2)}, ${(lots - few).toFixed(0)} ns more a request`)
}

function memoryOf<Value>(make: () => Value): [Value, number] {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const value = make()
  globalThis.gc?.()
  return [value, (process.memoryUsage().heapUsed - before) / 1024 / 1024]
}

const [manyHosts, hostMegabytes] = memoryOf(() => hosts(many))
const [manyRoutes, routeMegabytes] = memoryOf(() => routes(many))
compare('hosts ', [hosts(1), requestFor(0, 0)], [manyHosts, requestFor(many - 1, many - 1)])
compare('routes', [routes(1), requestFor(0, 0)], [manyRoutes, requestFor(0, many - 1)])
console.log(`memory: ${many} hosts ${hostMegabytes.toFixed(1)} MB, ${many} routes ${routeMegabytes.toFixed(1)} MB${globalThis.gc === undefined ? ' (run with --expose-gc for exact figures)' : ''}`)
