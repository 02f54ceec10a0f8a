// How a credential may be named: a Secret of the proxy's namespace, plainly or by kubernetes://, or builtin:// for the mesh's own
// certificate. Istio knows other forms; those that nobody answers are said (traffic spec 4.2).

const notServed: Readonly<Record<string, string>> = {
  configmap: 'roots in a ConfigMap are not served yet: put ca.crt into a Secret and name that',
  sds: 'certificates of another SDS server are not served yet: put them into a Secret and name that',
  'kubernetes-gateway': 'is for the Gateway API, which is not served yet: name a Secret in the namespace of the proxy',
  invalid: 'is never answered: connections are refused',
}

/** What is wrong with the name; undefined for nothing. */
export function credentialProblem(name: string): string | undefined {
  const [, scheme, rest = ''] = /^([a-z-]+):\/\/(.*)$/.exec(name) ?? []
  if (scheme === undefined || (scheme === 'builtin' && rest === '')) return undefined
  if (scheme === 'kubernetes') return /^([^/]+\/)?[^/]+$/.test(rest) ? undefined : 'must be kubernetes://NAME or kubernetes://NAMESPACE/NAME'
  return notServed[scheme] ?? `${scheme}:// is no kind of credential: name a Secret`
}
