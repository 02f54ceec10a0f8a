// What a client's look-up of a host finds in the mesh, where its look-ups are captured: by the table that its proxy would be sent,
// and as its proxy would answer.
import { MeshNames } from '../../agent/dns/names.ts'
import type { ProxySession } from '../../control/world-state.ts'
import { isIP } from '../../kinds/fields/host.ts'
import type { NameTable } from '../../proto/gen/istio/networking/nds/v1/nds_pb.ts'
import { typeUrls } from '../../xds/types.ts'

/** Null where nothing is looked up: gateways, and hosts that are addresses. None for a name that others know, if anybody. */
export function resolvedBy(session: ProxySession, host: string, domain: string): readonly string[] | null {
  const { type, namespace } = session.node
  if (type === 'router' || isIP(host)) return null
  const names = new MeshNames(tableOf(session), { namespace, domain, search: `${namespace}.svc.${domain}` })
  const found = names.find(host.toLowerCase().replace(/\.$/, ''))
  return found === undefined ? [] : [...found.addresses.v4.map((bytes) => [...bytes].join('.')), ...found.addresses.v6.map(v6Text)]
}

function tableOf(session: ProxySession) {
  const message = session.get(typeUrls.NDS, '')?.message as NameTable | undefined
  return new Map(Object.entries(message?.table ?? {}).map(([host, { altHosts, ...info }]) => [host, { ...info, aliases: altHosts }]))
}

/** As URLs write it: the longest run of zeros left out. */
function v6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
