// How host names of configuration relate (traffic spec 1.1): short names, overlap, and which of several is most specific.
import { isIP } from '../kinds/fields/host.ts'

/** `reviews` in a rule of namespace x is reviews.x.svc.<domain>. Names with a dot, `*` and addresses stand for themselves. */
export function resolveHost(host: string, namespace: string, domain: string): string {
  if (host === '' || host === '*' || host.includes('.') || isIP(host)) return host.toLowerCase()
  return `${host}.${namespace}.svc.${domain}`.toLowerCase()
}

/** Whether `pattern` (exact, `*`, `*.a.b`) covers all of `host`, itself exact or a wildcard. */
export function covers(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true
  if (!pattern.startsWith('*')) return false
  const suffix = pattern.slice(1)
  return host.startsWith('*') ? host.slice(1).endsWith(suffix) : host.length > suffix.length && host.endsWith(suffix)
}

/** Symmetric: one of the two covers the other. */
export function overlaps(one: string, other: string): boolean {
  return covers(one, other) || covers(other, one)
}

/** Sorts the more specific first: exact, longer wildcard, shorter wildcard, `*`; ties alphabetical. */
export function bySpecificity(one: string, other: string): number {
  const wildOne = one.startsWith('*')
  const wildOther = other.startsWith('*')
  if (wildOne !== wildOther) return wildOne ? 1 : -1
  if (wildOne && one.length !== other.length) return other.length - one.length
  return one < other ? -1 : one > other ? 1 : 0
}

/** The most specific of the patterns that cover a host. */
export function mostSpecific(patterns: Iterable<string>, host: string): string | undefined {
  let best: string | undefined
  for (const pattern of patterns) {
    if (covers(pattern, host) && (best === undefined || bySpecificity(pattern, best) < 0)) best = pattern
  }
  return best
}

/** Whether something of `owner` exported to `exportTo` is seen in `namespace`. */
export function visible(exportTo: readonly string[], owner: string, namespace: string): boolean {
  return exportTo.some((to) => to === '*' || to === namespace || (to === '.' && owner === namespace))
}

/** Whether labels include all of the selector's. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value)
}
