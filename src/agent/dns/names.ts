// The names of the mesh as look-ups find them (traffic spec 3.7): hosts, the short names of Kubernetes, what a resolver
// makes of a name with its first search domain, and wildcards. One table, replaced whole.
import { parseIp } from '../../proxy/listen/cidr.ts'
import type { NameAddresses, NameTable } from '../../proxy/main.ts'

export interface HostAddresses {
  /** As they stand in a record: 4 bytes each, and 16. */
  readonly v4: readonly Uint8Array[]
  readonly v6: readonly Uint8Array[]
}

export interface FoundName {
  /** The name without the search domain; undefined when the one asked for is it. */
  readonly alias: string | undefined
  readonly addresses: HostAddresses
}

export interface NameContext {
  /** Of the client: Services of its namespace are known by their names alone. */
  readonly namespace: string
  /** `cluster.local`. */
  readonly domain: string
  /** The first domain that its resolver appends; empty for none. */
  readonly search: string
}

export class MeshNames {
  readonly #hosts = new Map<string, HostAddresses>()
  /** By what follows the asterisk's dot. */
  readonly #wildcards = new Map<string, HostAddresses>()
  readonly #search: string

  constructor(table: NameTable, { namespace, domain, search }: NameContext) {
    this.#search = search === '' ? '' : `.${search.toLowerCase()}`
    const short: [string, HostAddresses][] = []
    for (const [host, info] of table) {
      const addresses = addressesOf(info)
      const name = plain(host)
      if (name.startsWith('*.')) this.#wildcards.set(name.slice(2), addresses)
      else this.#hosts.set(name, addresses)
      for (const other of otherNames(name, info, namespace, domain)) short.push([other, addresses])
    }
    for (const [name, addresses] of short) if (!this.#hosts.has(name)) this.#hosts.set(name, addresses)
  }

  /** `name` in lower case, without a dot at its end. */
  find(name: string): FoundName | undefined {
    const exact = this.#hosts.get(name)
    if (exact !== undefined) return { alias: undefined, addresses: exact }
    const base = this.#search !== '' && name.length > this.#search.length && name.endsWith(this.#search) ? name.slice(0, -this.#search.length) : undefined
    const expanded = base === undefined ? undefined : this.#hosts.get(base)
    if (expanded !== undefined) return { alias: base, addresses: expanded }
    const below = this.#wildcard(name)
    if (below !== undefined) return { alias: undefined, addresses: below }
    const expandedBelow = base === undefined ? undefined : this.#wildcard(base)
    return expandedBelow && { alias: base, addresses: expandedBelow }
  }

  /** The nearest one. */
  #wildcard(name: string): HostAddresses | undefined {
    if (this.#wildcards.size === 0) return undefined
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const found = this.#wildcards.get(name.slice(dot + 1))
      if (found !== undefined) return found
    }
    return undefined
  }
}

const plain = (host: string): string => host.toLowerCase().replace(/\.$/, '')

function otherNames(host: string, { shortname, namespace, aliases }: NameAddresses, clients: string, domain: string): readonly string[] {
  const given = aliases.map(plain)
  if (shortname === '' || namespace === '' || !host.endsWith(`.svc.${domain}`)) return given
  const short = shortname.toLowerCase()
  return [...given, `${short}.${namespace}.svc`, `${short}.${namespace}`, ...(namespace === clients ? [short] : [])]
}

/** What is no address cannot be answered. */
function addressesOf({ ips }: NameAddresses): HostAddresses {
  const all = ips.flatMap((ip) => parseIp(ip) ?? [])
  const ofFamily = (wanted: 4 | 6) => all.filter(({ family }) => family === wanted).map(({ bits }) => Buffer.from(bits.toString(16).padStart(wanted === 4 ? 8 : 32, '0'), 'hex'))
  return { v4: ofFamily(4), v6: ofFamily(6) }
}
