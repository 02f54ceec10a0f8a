// What spans several fields of a ServiceEntry (traffic spec 1.5).
import { isFqdn, isLabel, isPartialWildcard, isWildcardName, wildcardProblem } from '../fields/host.ts'
import { isHttpProtocol, isOpaqueProtocol, isTlsProtocol, protocolProblem } from '../fields/protocol.ts'
import { each, error, warning } from '../kind.ts'
import type { Rule } from '../kind.ts'
import { exportToRules } from './export-to-rules.ts'
import type { ServiceEntry } from './service-entry.ts'
import type { WorkloadEntry } from './workload-entry.ts'
import { workloadEntryRules } from './workload-entry-rules.ts'

const byDns = ['DNS', 'DNS_ROUND_ROBIN']
const isCidr = (address: string): boolean => address.includes('/')
/** Where the name of the host stands in what is sent, so that several can share an address. */
const namesHost = (protocol: string): boolean => isHttpProtocol(protocol) || isTlsProtocol(protocol)

const portRules: readonly Rule<ServiceEntry>[] = [
  error(function* ({ ports }) {
    const names = new Set<string>()
    const numbers = new Set<number>()
    for (const [index, { name, number, protocol }] of ports.entries()) {
      if (names.has(name)) yield [['ports', index, 'name'], `the port ${name} is named twice: rename one`]
      if (numbers.has(number)) yield [['ports', index, 'number'], `the port ${number} is there twice: remove one`]
      if (!isLabel(name)) yield [['ports', index, 'name'], `${JSON.stringify(name)} is not the name of a port: letters, digits and '-', at most 63`]
      const message = protocolProblem(protocol)
      if (message !== undefined) yield [['ports', index, 'protocol'], message]
      names.add(name)
      numbers.add(number)
    }
  }),
  error(function* ({ ports, hosts, resolution }) {
    if (resolution === 'NONE' || resolution === 'DYNAMIC_DNS' || hosts.length < 2) return
    const index = ports.findIndex(({ protocol }) => !namesHost(protocol))
    if (index >= 0) yield [['ports', index, 'protocol'], `several hosts cannot share a port of protocol ${ports[index]!.protocol || 'TCP'}, which does not say which of them is meant: make a ServiceEntry of each`]
  }),
  warning(function* ({ ports, resolution }) {
    for (const [index, { targetPort }] of ports.entries()) {
      if (targetPort !== undefined && resolution === 'NONE') yield [['ports', index, 'targetPort'], 'has no effect with resolution NONE, where connections go where the client sent them']
    }
  }),
]

const endpointRules: readonly Rule<ServiceEntry>[] = [
  error(function* ({ endpoints, workloadSelector }) {
    if (workloadSelector !== undefined && endpoints.length > 0) yield [['endpoints'], 'endpoints and workloadSelector exclude each other: keep one']
  }),
  error(function* ({ endpoints, resolution }) {
    if (endpoints.length === 0) return
    if (resolution === 'NONE') yield [['endpoints'], 'cannot be with resolution NONE, which is the default: use STATIC for addresses, DNS for names']
    if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) yield [['endpoints'], `must be at most one with resolution DNS_ROUND_ROBIN, not ${endpoints.length}`]
    for (const [index, { address }] of endpoints.entries()) {
      if (resolution === 'STATIC' && isFqdn(address)) yield [['endpoints', index, 'address'], `${JSON.stringify(address)} is a name, which resolution STATIC cannot look up: use an IP address, or resolution DNS`]
      if (byDns.includes(resolution) && address.startsWith('unix://')) yield [['endpoints', index, 'address'], `is a unix socket, which resolution ${resolution} cannot look up: use STATIC`]
    }
  }),
  error(function* ({ endpoints, ports }) {
    const names = new Set(ports.map(({ name }) => name))
    for (const [index, endpoint] of endpoints.entries()) {
      for (const name of Object.keys(endpoint.ports)) {
        if (!names.has(name)) yield [['endpoints', index, 'ports', name], `the ServiceEntry has no port ${name}: it has ${[...names].join(', ') || 'none'}`]
      }
      if (endpoint.address.startsWith('unix://') && ports.length !== 1) yield [['endpoints', index, 'address'], `a unix socket serves one port, and the ServiceEntry has ${ports.length}`]
    }
  }),
  ...each<ServiceEntry, WorkloadEntry>(({ endpoints }) => endpoints, ['endpoints'], workloadEntryRules),
]

export const serviceEntryRules: readonly Rule<ServiceEntry>[] = [
  error(function* ({ hosts }) {
    for (const [index, host] of hosts.entries()) {
      if (host === '*') yield [['hosts', index], '"*" cannot be a host of a ServiceEntry: name the host, such as *.example.com']
      else if (!isWildcardName(host)) yield [['hosts', index], wildcardProblem(host) ?? 'is no host name']
    }
  }),
  error(function* ({ addresses, resolution }) {
    for (const [index, address] of addresses.entries()) {
      if (isCidr(address) && resolution !== 'NONE' && resolution !== 'STATIC') yield [['addresses', index], `is a network, which resolution ${resolution} cannot use: give single addresses, or use NONE or STATIC`]
    }
  }),
  error(function* ({ hosts, endpoints, resolution }) {
    if (!byDns.includes(resolution) || endpoints.length > 0) return
    for (const [index, host] of hosts.entries()) {
      if (host !== '*' && isWildcardName(host) && !isFqdn(host)) yield [['hosts', index], `${host} cannot be looked up: with resolution ${resolution} name one host, or give endpoints`]
    }
  }),
  error(function* ({ hosts, addresses, endpoints, ports, resolution }) {
    if (resolution !== 'DYNAMIC_DNS') return
    for (const [index, host] of hosts.entries()) {
      if (!host.startsWith('*.')) yield [['hosts', index], `must be a wildcard with resolution DYNAMIC_DNS, such as *.example.com; for ${host} use DNS`]
    }
    if (addresses.length > 0) yield [['addresses'], 'cannot be with resolution DYNAMIC_DNS: remove them']
    if (endpoints.length > 0) yield [['endpoints'], 'cannot be with resolution DYNAMIC_DNS: remove them']
    for (const [index, { protocol }] of ports.entries()) {
      if (!['HTTP', 'HTTP2', 'GRPC', 'TLS'].includes(protocol.toUpperCase())) yield [['ports', index, 'protocol'], `must be HTTP, HTTP2, GRPC or TLS with resolution DYNAMIC_DNS, not ${protocol || 'unset'}`]
    }
  }),
  ...portRules,
  ...endpointRules,
  ...exportToRules<ServiceEntry>(),
  warning(function* ({ hosts }) {
    for (const [index, host] of hosts.entries()) {
      if (isPartialWildcard(host)) yield [['hosts', index], `${JSON.stringify(host)}: a wildcard that is not a whole label matches nothing; write *.example.com`]
    }
  }),
  warning(function* ({ workloadSelector, resolution }) {
    if (workloadSelector === undefined) return
    if (Object.keys(workloadSelector.labels).length === 0) yield [['workloadSelector'], 'selects every workload of the namespace, since it has no labels']
    if (resolution === 'NONE' || byDns.includes(resolution)) yield [['workloadSelector'], `has no effect with resolution ${resolution}: use STATIC`]
  }),
  warning(function* ({ hosts, addresses, ports, resolution }) {
    if (!byDns.includes(resolution) || hosts.length < 2 || addresses.length === 0) return
    const index = ports.findIndex(({ protocol }) => !namesHost(protocol) || isTlsProtocol(protocol))
    if (index >= 0) yield [['addresses'], `several hosts share the addresses and the port ${ports[index]!.number}: only one of them can be reached there`]
  }),
  warning(function* ({ addresses, ports, resolution }) {
    if (addresses.length > 0 || resolution === 'NONE') return
    for (const [index, { protocol, number }] of ports.entries()) {
      if (isOpaqueProtocol(protocol)) yield [['ports', index], `port ${number} carries no name of a host, and the ServiceEntry has no addresses: all connections to port ${number} that no other service takes go there; give addresses`]
    }
  }),
]
