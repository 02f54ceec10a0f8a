// Services of the asked name that the client's proxy does not know, or not at that port, and why.
import { covers } from '../../control/hosts.ts'
import type { Origin, Resource } from '../../model/resource.ts'
import type { LeftOut, LeftOutQuery } from './left-out.ts'

export function strangers({ proxy, snapshot, hosts, port }: LeftOutQuery): readonly LeftOut[] {
  const { services, sidecar } = snapshot.scopeOf(proxy, proxy.type)
  return snapshot.services.all.filter((one) => hosts.some((asked) => covers(one.hostname, asked))).flatMap((one) => {
    const route = `${one.registry === 'External' ? 'ServiceEntry' : 'Service'} ${one.namespace}/${one.name} ${at(one.origin)}`
    if (!snapshot.services.sees(proxy.namespace, one)) return [{ route, whyNot: `is not exported to namespace ${proxy.namespace}` }]
    if (!services.includes(one)) return sidecar === undefined ? [] : [{ route, whyNot: notImported(sidecar) }]
    const ports = one.ports.map((each) => each.number).join(', ')
    return one.ports.some((each) => each.number === port) ? [] : [{ route, whyNot: `has port ${ports}; but the request goes to port ${port}` }]
  })
}

export const notImported = ({ metadata, origin }: Resource): string => `is not imported by Sidecar ${metadata.namespace}/${metadata.name} ${at(origin)}`

export const at = (origin: Origin): string => `(${origin.file}:${origin.line})`
