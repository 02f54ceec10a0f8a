// The network between the workloads: a namespace of its own with a bridge, and a pair of virtual interfaces to each of the
// others. What the workloads send to the outside ends here, at a port whose sockets this machine's own network serves.
import { describe } from '../../lib/errors.ts'
import { Namespace } from './namespace.ts'

const bridge = 'mesh0'
/** The way out, DNS for what is outside, and what stands there for the control plane. In nobody's range. */
export const switchAddress = '10.192.0.1'
/** The way out for IPv6. */
export const switchAddressV6 = 'fd74:7279:7361:ffff::1'
const bridgeHardwareAddress = '02:54:00:00:00:01'
/** In the switch: where connections to the outside are led. */
export const egressPort = 15_001
/** In the switch: the control plane, where Istio's proxies look for it. */
export const controlPort = 15_012
export const dnsPort = 53

export interface SwitchParts {
  readonly env: Readonly<Record<string, string>>
  readonly rootless: boolean
  /** Of the workloads: `10.128.0.0/10`. */
  readonly ranges: readonly string[]
  /** Nothing of the outside is there: what is sent there is refused, not led out. */
  readonly inside: readonly string[]
  /** The same of IPv6. */
  readonly v6: { readonly range: string; readonly inside: readonly string[] }
}

export class Switch {
  readonly namespace: Namespace
  /** Undefined: it has; else why the kernel has none for a namespace. */
  readonly noV6: string | undefined
  readonly #parts: SwitchParts
  #interfaces = 0

  private constructor(namespace: Namespace, parts: SwitchParts, noV6: string | undefined) {
    this.namespace = namespace
    this.noV6 = noV6
    this.#parts = parts
  }

  /** Rejects with a `NetnsCode`. */
  static async open(parts: SwitchParts): Promise<Switch> {
    const namespace = await Namespace.open({ ...parts, within: undefined })
    try {
      await namespace.ip([
        'link set lo up', `link add ${bridge} address ${bridgeHardwareAddress} type bridge mcast_snooping 0`, `link set ${bridge} addrgenmode none`, `addr add ${switchAddress}/32 dev ${bridge}`,
        `link set ${bridge} up`, ...parts.ranges.map((range) => `route add ${range} dev ${bridge}`),
      ])
      await namespace.run(['nft', '-f', '-'], egressRules('ip', switchAddress, [...parts.ranges, ...parts.inside]))
      return new Switch(namespace, parts, await withoutV6(namespace, parts))
    } catch (error) {
      await namespace.close()
      throw error
    }
  }

  /** A namespace with these addresses, the second one of IPv6. Its only way out leads here. */
  async workload(address: string, v6: string | undefined): Promise<Namespace> {
    const cell = await Namespace.open({ ...this.#parts, within: this.namespace })
    try {
      const port = `w${++this.#interfaces}`
      await this.namespace.ip([
        `link add ${port} type veth peer name eth0 address ${hardwareAddress(address)} netns ${cell.pid}`, `link set ${port} addrgenmode none`, `link set ${port} master ${bridge}`, `link set ${port} up`,
      ])
      await cell.ip([
        'link set lo up', 'link set eth0 addrgenmode none', `addr add ${address}/32 dev eth0`, 'link set eth0 up',
        ...[...this.#parts.ranges, switchAddress].map((range) => `route add ${range} dev eth0 src ${address}`), `route add default via ${switchAddress} src ${address}`,
        ...(v6 === undefined ? [] : this.#v6(v6, address)),
      ])
      return cell
    } catch (error) {
      await cell.close()
      throw error
    }
  }

  #v6(v6: string, address: string): readonly string[] {
    return [
      `addr add ${linkLocal(address)}/64 dev eth0 nodad`, `addr add ${v6}/128 dev eth0 nodad`,
      ...[this.#parts.v6.range, switchAddressV6].map((range) => `route add ${range} dev eth0 src ${v6}`), `route add ::/0 via ${switchAddressV6} dev eth0 src ${v6}`,
    ]
  }

  close(): Promise<void> {
    return this.namespace.close()
  }
}

/** Neighbours ask for each other by it. Without duplicates there is nothing to detect. */
const linkLocal = (address: string): string => `fe80::${address.split('.').map((part) => Number(part).toString(16)).join(':')}`

/** A kernel may have been told to do without, or have no rules for it. Undefined: it is there. */
async function withoutV6(namespace: Namespace, { v6: { range, inside } }: SwitchParts): Promise<string | undefined> {
  try {
    await namespace.ip([`addr add ${linkLocal(switchAddress)}/64 dev ${bridge} nodad`, `addr add ${switchAddressV6}/128 dev ${bridge} nodad`, `route add ${range} dev ${bridge}`])
    await namespace.run(['nft', '-f', '-'], egressRules('ip6', switchAddressV6, [range, ...inside]))
    return undefined
  } catch (error) {
    return describe(error)
  }
}

/** By its address: one that comes again after a restart is found where others remember it. */
const hardwareAddress = (address: string): string => ['02', '54', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')

/**
 * Nothing is forwarded: TCP to the outside ends at the egress port, what seems to be inside and is not is refused at once.
 * Where the kernel shows filters what the bridge carries (br_netfilter), those are frames to others: none of it is theirs.
 */
function egressRules(family: 'ip' | 'ip6', own: string, inside: readonly string[]): string {
  return `table ${family} trysail_switch {
  set inside { type ${family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'}; flags interval; elements = { ${inside.join(', ')} } }
  chain refused {
    type filter hook prerouting priority -150; policy accept;
    ether daddr ${bridgeHardwareAddress} ${family} daddr @inside meta l4proto tcp counter reject with tcp reset
  }
  chain outwards {
    type nat hook prerouting priority dstnat; policy accept;
    ether daddr ${bridgeHardwareAddress} ${family} daddr != ${own} meta l4proto tcp redirect to :${egressPort}
  }
}
`
}
