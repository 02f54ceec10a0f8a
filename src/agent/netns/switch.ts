// The network between the workloads: a namespace of its own with a bridge, and a pair of virtual interfaces to each of the
// others. What the workloads send to the outside ends here, at a port whose sockets this machine's own network serves.
import { Namespace } from './namespace.ts'

const bridge = 'mesh0'
/** The way out, DNS for what is outside, and what stands there for the control plane. In nobody's range. */
export const switchAddress = '10.192.0.1'
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
}

export class Switch {
  readonly namespace: Namespace
  readonly #parts: SwitchParts
  #interfaces = 0

  private constructor(namespace: Namespace, parts: SwitchParts) {
    this.namespace = namespace
    this.#parts = parts
  }

  /** Rejects with a `NetnsCode`. */
  static async open(parts: SwitchParts): Promise<Switch> {
    const namespace = await Namespace.open({ ...parts, within: undefined })
    try {
      await namespace.ip([
        'link set lo up', `link add ${bridge} address ${bridgeHardwareAddress} type bridge`, `link set ${bridge} addrgenmode none`, `addr add ${switchAddress}/32 dev ${bridge}`,
        `link set ${bridge} up`, ...parts.ranges.map((range) => `route add ${range} dev ${bridge}`),
      ])
      await namespace.run(['nft', '-f', '-'], egressRules(parts))
      return new Switch(namespace, parts)
    } catch (error) {
      await namespace.close()
      throw error
    }
  }

  /** A namespace with this address, whose only way out leads here. It has no IPv6 beyond loopback: nothing can slip by there. */
  async workload(address: string): Promise<Namespace> {
    const cell = await Namespace.open({ ...this.#parts, within: this.namespace })
    try {
      const port = `w${++this.#interfaces}`
      await this.namespace.ip([
        `link add ${port} type veth peer name eth0 address ${hardwareAddress(address)} netns ${cell.pid}`, `link set ${port} addrgenmode none`, `link set ${port} master ${bridge}`, `link set ${port} up`,
      ])
      await cell.ip([
        'link set lo up', 'link set eth0 addrgenmode none', `addr add ${address}/32 dev eth0`, 'link set eth0 up',
        ...[...this.#parts.ranges, switchAddress].map((range) => `route add ${range} dev eth0 src ${address}`), `route add default via ${switchAddress} src ${address}`,
      ])
      return cell
    } catch (error) {
      await cell.close()
      throw error
    }
  }

  close(): Promise<void> {
    return this.namespace.close()
  }
}

/** By its address: one that comes again after a restart is found where others remember it. */
const hardwareAddress = (address: string): string => ['02', '54', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')

/**
 * Nothing is forwarded: TCP to the outside ends at the egress port, what seems to be inside and is not is refused at once.
 * Where the kernel shows filters what the bridge carries (br_netfilter), those are frames to others: none of it is theirs.
 */
function egressRules({ ranges, inside }: SwitchParts): string {
  return `table ip trysail_switch {
  set inside { type ipv4_addr; flags interval; elements = { ${[...ranges, ...inside].join(', ')} } }
  chain refused {
    type filter hook prerouting priority -150; policy accept;
    ether daddr ${bridgeHardwareAddress} ip daddr @inside meta l4proto tcp counter reject with tcp reset
  }
  chain outwards {
    type nat hook prerouting priority dstnat; policy accept;
    ether daddr ${bridgeHardwareAddress} ip daddr != ${switchAddress} meta l4proto tcp redirect to :${egressPort}
  }
}
`
}
