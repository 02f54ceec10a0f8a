// What spans several fields of a WorkloadEntry (traffic spec 1.7). The same entries stand inline in a ServiceEntry.
import { isFqdn, isIP, isLabel } from '../fields/host.ts'
import { error, warning } from '../kind.ts'
import type { Rule } from '../kind.ts'
import { unixProblem } from './bind.ts'
import type { WorkloadEntry } from './workload-entry.ts'

/** Istio's own limit. */
const maxPorts = 128

export const workloadEntryRules: readonly Rule<WorkloadEntry>[] = [
  error(function* ({ address, network }) {
    if (address === '') {
      if (network === '') yield [['address'], 'is required: an IP address, a host name or unix:///path; without it, name the network']
    } else if (address.startsWith('unix://')) {
      const message = unixProblem(address)
      if (message !== undefined) yield [['address'], message]
    } else if (!isIP(address) && !isFqdn(address)) {
      yield [['address'], `${JSON.stringify(address)} is neither an IP address, a host name nor unix:///path`]
    }
  }),
  error(function* ({ address, ports }) {
    if (address.startsWith('unix://') && Object.keys(ports).length > 0) yield [['ports'], 'a unix socket has no ports: remove them']
    if (Object.keys(ports).length > maxPorts) yield [['ports'], `has ${Object.keys(ports).length} ports: at most ${maxPorts} are allowed`]
  }),
  error(function* ({ ports }) {
    for (const name of Object.keys(ports)) {
      if (!isLabel(name)) yield [['ports', name], `${JSON.stringify(name)} is not the name of a port: letters, digits and '-', at most 63`]
    }
  }),
  warning(function* ({ locality }) {
    const parts = locality.split('/')
    if (locality !== '' && (parts.length > 3 || parts.some((part) => part === ''))) {
      yield [['locality'], `${JSON.stringify(locality)} is not a locality: write region, region/zone or region/zone/subzone`]
    }
  }),
  warning(function* ({ address, network }) {
    if (address === '' && network !== '') yield [['address'], `is not given: only its network ${network} knows where the workload is, and nobody is sent there yet`]
  }),
]
