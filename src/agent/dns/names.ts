// The names of the mesh as look-ups find them (traffic spec 3.7): hosts, the short names of Kubernetes, what a resolver
// makes of a name with its first search domain, and wildcards. One table, replaced whole and often, of which few names are ever
// asked for: so all but the hosts themselves is worked out for who asks.
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
  readonly #hosts = new Map<string, NameAddresses>()
  /** By what follows the asterisk's dot. */
  readonly #wildcards = new Map<string, NameAddresses>()
  readonly #aliases = new Map<string, NameAddresses>()
  readonly #search: string
  /** What follows a Service's own name. */
  readonly #fromService: string
  readonly #fromNamespace: string
  readonly #fromSvc: string

  constructor(table: NameTable, { namespace, domain, search }: NameContext) {
    this.#search = search === '' ? '' : `.${search.toLowerCase()}`
    this.#fromService = `.${namespace}.svc.${domain}`
    this.#fromNamespace = `.svc.${domain}`
    this.#fromSvc = `.${domain}`
    for (const [host, info] of table) {
      const name = plain(host)
      if (name.startsWith('*.')) this.#wildcards.set(name.slice(2), info)
      else this.#hosts.set(name, info)
      for (const alias of info.aliases) this.#aliases.set(plain(alias), info)
    }
  }

  /** `name` in lower case, without a dot at its end. */
  find(name: string): FoundName | undefined {
    const exact = this.#host(name)
    if (exact !== undefined) return { alias: undefined, addresses: addressesOf(exact) }
    const base = this.#search !== '' && name.length > this.#search.length && name.endsWith(this.#search) ? name.slice(0, -this.#search.length) : undefined
    const expanded = base === undefined ? undefined : this.#host(base)
    if (expanded !== undefined) return { alias: base, addresses: addressesOf(expanded) }
    const below = this.#wildcard(name)
    if (below !== undefined) return { alias: undefined, addresses: addressesOf(below) }
    const expandedBelow = base === undefined ? undefined : this.#wildcard(base)
    return expandedBelow && { alias: base, addresses: addressesOf(expandedBelow) }
  }

  /** By a name that somebody wrote, or else by a short one. */
  #host(name: string): NameAddresses | undefined {
    return this.#hosts.get(name) ?? this.#aliases.get(name)
      ?? this.#service(`${name}${this.#fromSvc}`, name, '.svc') ?? this.#service(`${name}${this.#fromNamespace}`, name, '') ?? this.#ownService(name)
  }

  /** `reviews.default` and what follows, of a Service. */
  #service(host: string, name: string, rest: string): NameAddresses | undefined {
    const found = this.#hosts.get(host)
    return found !== undefined && found.shortname !== '' && name === `${found.shortname.toLowerCase()}.${found.namespace}${rest}` ? found : undefined
  }

  #ownService(name: string): NameAddresses | undefined {
    const found = this.#hosts.get(`${name}${this.#fromService}`)
    return found !== undefined && found.shortname.toLowerCase() === name ? found : undefined
  }

  /** The nearest one. */
  #wildcard(name: string): NameAddresses | undefined {
    if (this.#wildcards.size === 0) return undefined
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const found = this.#wildcards.get(name.slice(dot + 1))
      if (found !== undefined) return found
    }
    return undefined
  }
}

function plain(host: string): string {
  const name = host.toLowerCase()
  return name.endsWith('.') ? name.slice(0, -1) : name
}

const parsed = new WeakMap<NameAddresses, HostAddresses>()

/** What is no address cannot be answered. */
function addressesOf(info: NameAddresses): HostAddresses {
  const known = parsed.get(info)
  if (known !== undefined) return known
  const all = info.ips.flatMap((ip) => parseIp(ip) ?? [])
  const ofFamily = (wanted: 4 | 6) => all.filter(({ family }) => family === wanted).map(({ bits }) => Buffer.from(bits.toString(16).padStart(wanted === 4 ? 8 : 32, '0'), 'hex'))
  const addresses = { v4: ofFamily(4), v6: ofFamily(6) }
  parsed.set(info, addresses)
  return addresses
}
