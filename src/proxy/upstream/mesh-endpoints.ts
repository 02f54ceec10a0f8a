// Which addresses the clusters of a proxy know for endpoints that take the mesh's mutual TLS: asked by clusters that go on to
// wherever their client meant to go, so that a workload is spoken to by its address as it is by its service's.
import type { Address } from '../../model/address.ts'
import type { RuntimeHost } from './host.ts'

/** By address and port. A proxy of which nobody goes anywhere by address keeps none of it. */
export class MeshEndpoints {
  readonly #all: () => Iterable<RuntimeHost>
  /** The one to go by first. Undefined: nobody has asked yet. */
  #byName: Map<string, readonly RuntimeHost[]> | undefined

  /** `all`: what there is when somebody asks for the first time. */
  constructor(all: () => Iterable<RuntimeHost>) {
    this.#all = all
  }

  /** Undefined: nothing that is known takes mutual TLS there. */
  at(name: string): RuntimeHost | undefined {
    return (this.#byName ?? this.#begin()).get(name)?.[0]
  }

  add(host: RuntimeHost): RuntimeHost {
    if (this.#byName !== undefined) insert(this.#byName, host)
    return host
  }

  /** Of one that is not in it nothing changes. */
  remove(host: RuntimeHost): void {
    if (this.#byName === undefined || !takesMeshTls(host)) return
    for (const key of keysOf(host)) {
      const known = this.#byName.get(key)
      if (known === undefined || !known.includes(host)) continue
      if (known.length === 1) this.#byName.delete(key)
      else this.#byName.set(key, known.filter((one) => one !== host))
    }
  }

  #begin(): Map<string, readonly RuntimeHost[]> {
    const byName = new Map<string, readonly RuntimeHost[]>()
    for (const host of this.#all()) insert(byName, host)
    this.#byName = byName
    return byName
  }
}

function insert(byName: Map<string, readonly RuntimeHost[]>, host: RuntimeHost): void {
  if (!takesMeshTls(host) || isGateway(host)) return
  for (const key of keysOf(host)) {
    const known = byName.get(key)
    byName.set(key, known === undefined ? [host] : [...known, host].sort(byStrictness))
  }
}

/** As the control plane says of the endpoint, and by the policy of its cluster. */
const takesMeshTls = ({ mutualTls, socket }: RuntimeHost): boolean => mutualTls && socket.tls?.speaksMesh === true

/** All its addresses. The kernel spells them in one way; who writes them by hand does not. */
function keysOf({ name, address, further }: RuntimeHost): readonly string[] {
  const first = name.startsWith('[') ? keyOf(address) : name
  return further.length === 0 ? [first] : [first, ...further.map(keyOf)]
}

const keyOf = ({ host, port }: Address): string => (host.includes(':') ? `${URL.parse(`http://[${host}]`)?.hostname ?? host}:${port}` : `${host}:${port}`)

/**
 * The gateway of another network, which stands for endpoints of many services, is nobody's workload: it finds them by the
 * server name, and whoever goes to its address means none of them.
 */
const isGateway = ({ workload }: RuntimeHost): boolean => workload === '' || workload.startsWith(';')

/**
 * The identities that a service may have are those of all its workloads: where several hold one endpoint, its own is in each
 * list, and the shortest is the closest to it. Of those a service goes before its subsets, which have longer names.
 */
function byStrictness({ socket: { tls: one } }: RuntimeHost, { socket: { tls: other } }: RuntimeHost): number {
  const { cluster: name, acceptedNames: count } = one!
  const { cluster: otherName, acceptedNames: otherCount } = other!
  if (count !== otherCount) return (count || Infinity) - (otherCount || Infinity)
  return name.length - otherName.length || (name < otherName ? -1 : 1)
}
