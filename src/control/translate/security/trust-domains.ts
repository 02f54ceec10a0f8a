// Trust domains under other names: a principal of the mesh's own trust domain holds in each of its aliases (security
// spec 2.5). `cluster.local` stands for the mesh's own, whatever it is called.

/** `domains`: that of the mesh, and its aliases. */
export function principalsIn(domains: readonly string[], principal: string): readonly string[] {
  const parts = principal.split('/')
  const [domain = ''] = parts
  if (parts.length !== 5 || domain === '*' || !isOfMesh(domains, domain)) return [principal]
  const rest = principal.slice(domain.length)
  // `*-td` stands as it is for the domains that it covers.
  return [...new Set(domains.map((one) => (domain.startsWith('*') && one.endsWith(domain.slice(1)) ? principal : `${one}${rest}`)))]
}

export function trustDomainsIn(domains: readonly string[], domain: string): readonly string[] {
  return !domain.includes('*') && isOfMesh(domains, domain) ? [...new Set(domains)] : [domain]
}

const isOfMesh = (domains: readonly string[], pattern: string): boolean => pattern === 'cluster.local' || domains.some((one) => fits(one, pattern))

function fits(domain: string, pattern: string): boolean {
  if (pattern.startsWith('*')) return domain.endsWith(pattern.slice(1))
  return pattern.endsWith('*') ? domain.startsWith(pattern.slice(0, -1)) : domain === pattern
}
