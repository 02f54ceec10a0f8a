// Filter chains of opaque bytes, as Envoy takes them: no two of one listener may match the same connections, so that of
// several that would, the first one has it.
import { isIP } from '../../../kinds/fields/host.ts'
import type { CidrRangeSchema } from '../../../proto/gen/envoy/config/core/v3/address_pb.ts'
import type { MeshSettings } from '../../mesh-settings.ts'
import type { Init } from '../any.ts'
import { serverNameFilter } from '../cluster/forward-proxy.ts'
import { metadataOf } from '../metadata.ts'
import type { Guards } from '../security/guards.ts'
import { tcpProxy } from './filters.ts'
import type { ByteChain } from './l4-routes.ts'
import type { FilterChainInit } from './outbound.ts'

/** What other chains of the listener match already: pairs of range and server name. */
export class Claims {
  readonly #taken = new Set<string>()

  /** What of the chain nobody has yet, which is its own from now on: all of it mostly, and nothing perhaps. */
  claim<Chain extends Pick<ByteChain, 'subnets' | 'serverNames'>>(chain: Chain): readonly Chain[] {
    const ranges = chain.subnets.length === 0 ? [''] : [...new Set(chain.subnets.map(canonicalRange))]
    const names = chain.serverNames.length === 0 || chain.serverNames.includes('*') ? [''] : [...new Set(chain.serverNames)]
    const free = (name: string) => ranges.filter((range) => !this.#taken.has(`${range} ${name}`))
    const whole = names.filter((name) => free(name).length === ranges.length)
    const partly = names.filter((name) => !whole.includes(name) && free(name).length > 0).map((name) => ({ names: [name], ranges: free(name) }))
    const parts = whole.length === 0 ? partly : [{ names: whole, ranges }, ...partly]
    return parts.map((own) => {
      for (const range of own.ranges) for (const name of own.names) this.#taken.add(`${range} ${name}`)
      return { ...chain, subnets: own.ranges.filter((range) => range !== ''), serverNames: own.names.filter((name) => name !== '') }
    })
  }
}

export function byteChain(chain: ByteChain, mesh: MeshSettings, guards: Guards['bytes'] = []): FilterChainInit {
  const { subnets, serverNames, statPrefix, clusters, options, namedPort, from } = chain
  const matches = subnets.length + serverNames.length > 0
  return {
    ...(matches && { filterChainMatch: { prefixRanges: subnets.map(rangeOf), serverNames: [...serverNames] } }),
    filters: [...guards, ...(namedPort > 0 ? [serverNameFilter(namedPort)] : []), tcpProxy(statPrefix, clusters, mesh, options)],
    metadata: metadataOf(from),
  }
}

/** `10.1.2.3/8` and `10.0.0.0/8` are one range. */
function canonicalRange(text: string): string {
  const { addressPrefix, prefixLen } = partsOf(text)
  if (addressPrefix.includes(':')) return `${addressPrefix.toLowerCase()}/${prefixLen}`
  const bits = addressPrefix.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const kept = Math.floor(bits / 2 ** (32 - prefixLen)) * 2 ** (32 - prefixLen)
  return `${[24, 16, 8, 0].map((shift) => Math.floor(kept / 2 ** shift) % 256).join('.')}/${prefixLen}`
}

function rangeOf(text: string): Init<typeof CidrRangeSchema> {
  return partsOf(text)
}

function partsOf(text: string): { readonly addressPrefix: string; readonly prefixLen: number } {
  const [addressPrefix = '', length] = text.split('/')
  const longest = addressPrefix.includes(':') ? 128 : 32
  return { addressPrefix, prefixLen: length === undefined || !isIP(addressPrefix) ? longest : Math.min(Number(length), longest) }
}
