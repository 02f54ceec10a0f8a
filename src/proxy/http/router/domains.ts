// Finds the virtual host of an authority: exact names, then the longest `*.suffix`, then the longest `prefix.*`, then `*`.
import { badConfig } from './problem.ts'

export class DomainTable<Value> {
  readonly #exact = new Map<string, Value>()
  readonly #suffixes = new WildcardTable<Value>()
  readonly #prefixes = new WildcardTable<Value>()
  #any: Value | undefined
  readonly #ignorePort: boolean

  constructor(ignorePort: boolean) {
    this.#ignorePort = ignorePort
  }

  add(domain: string, value: Value): void {
    const name = domain.toLowerCase()
    if (name === '') throw badConfig('an empty domain')
    if (name === '*') {
      if (this.#any !== undefined) throw badConfig('only one virtual host may have the domain *')
      this.#any = value
    } else if (name.startsWith('*')) this.#suffixes.add(name.slice(1), value, domain)
    else if (name.endsWith('*')) this.#prefixes.add(name.slice(0, -1), value, domain)
    else if (this.#exact.has(name)) throw badConfig(`the domain ${domain} stands twice`)
    else this.#exact.set(name, value)
  }

  find(authority: string): Value | undefined {
    const host = (this.#ignorePort ? withoutPort(authority) : authority).toLowerCase()
    return this.#exact.get(host) ?? this.#suffixes.find(host, true) ?? this.#prefixes.find(host, false) ?? this.#any
  }
}

/** One map per length, the longest first: look-ups cost as many steps as there are lengths. */
class WildcardTable<Value> {
  #byLength: { readonly length: number; readonly values: Map<string, Value> }[] = []

  add(part: string, value: Value, domain: string): void {
    let entry = this.#byLength.find(({ length }) => length === part.length)
    if (entry === undefined) {
      entry = { length: part.length, values: new Map() }
      this.#byLength = [...this.#byLength, entry].sort((one, other) => other.length - one.length)
    }
    if (entry.values.has(part)) throw badConfig(`the domain ${domain} stands twice`)
    entry.values.set(part, value)
  }

  /** The star stands for one character at least. */
  find(host: string, fromEnd: boolean): Value | undefined {
    for (const { length, values } of this.#byLength) {
      if (length >= host.length) continue
      const found = values.get(fromEnd ? host.slice(host.length - length) : host.slice(0, length))
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** `a:80` and `[::1]:80` lose their port; a bare `::1` has none. */
export function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':')
  if (colon === -1) return authority
  if (authority.charCodeAt(0) === 0x5b) return authority.charCodeAt(colon - 1) === 0x5d ? authority.slice(0, colon) : authority
  return authority.indexOf(':') === colon ? authority.slice(0, colon) : authority
}
