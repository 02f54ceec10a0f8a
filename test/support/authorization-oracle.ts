// What AuthorizationPolicies mean, straight from their YAML and as slowly as can be: no Envoy, no compiling, no index.
// Tests hold what the mesh decides against it.

type Values = readonly string[] | undefined

export interface WrittenPolicy {
  readonly name: string
  readonly namespace: string
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT'
  readonly dryRun: boolean
  readonly rules: readonly WrittenRule[]
}

export interface WrittenRule {
  readonly from?: readonly { readonly source: Readonly<Record<string, Values>> }[]
  readonly to?: readonly { readonly operation: Readonly<Record<string, Values>> }[]
  readonly when?: readonly { readonly key: string; readonly values?: Values; readonly notValues?: Values }[]
}

export interface AskedRequest {
  /** Undefined: plaintext. */
  readonly peer: { readonly domain: string; readonly namespace: string; readonly account: string } | undefined
  readonly sourceIp: string
  readonly remoteIp: string
  readonly destinationIp: string
  readonly port: number
  readonly sni: string
  /** Undefined: a connection of bytes. */
  readonly http: {
    readonly method: string
    readonly host: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    /** Of a verified token. */
    readonly claims: Readonly<Record<string, unknown>> | undefined
  } | undefined
}

export interface Ruling {
  readonly allowed: boolean
  /** `ns[a]-policy[b]-rule[0]` of all rules that match and deny, in the order of their names. */
  readonly deniedBy: readonly string[]
  readonly audited: boolean
}

export function ruling(policies: readonly WrittenPolicy[], request: AskedRequest, trustDomains: readonly string[]): Ruling {
  const matching = (action: WrittenPolicy['action']): string[] => policies.filter((one) => one.action === action && !one.dryRun).flatMap((policy) => policy.rules
    .flatMap((rule, index) => (ruleMatches(rule, policy, request, trustDomains) ? [`ns[${policy.namespace}]-policy[${policy.name}]-rule[${index}]`] : []))).sort()
  const deniedBy = matching('DENY')
  const allows = policies.some((one) => one.action === 'ALLOW' && !one.dryRun)
  return { deniedBy, allowed: deniedBy.length === 0 && (!allows || matching('ALLOW').length > 0), audited: matching('AUDIT').length > 0 }
}

const ofHttp = ['hosts', 'methods', 'paths', 'requestPrincipals']
const needsHttp = (name: string): boolean => ofHttp.includes(name) || name.startsWith('request.') || name.startsWith('experimental.')

interface Clause {
  readonly name: string
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

function clausesOf(fields: Readonly<Record<string, Values>>): Clause[] {
  const names = Object.keys(fields).filter((name) => !/^not[A-Z]/.test(name))
  const denied = Object.keys(fields).filter((name) => /^not[A-Z]/.test(name)).map((name) => `${name[3]!.toLowerCase()}${name.slice(4)}`)
  return [...new Set([...names, ...denied])].map((name) => ({ name, values: fields[name] ?? [], notValues: fields[`not${name[0]!.toUpperCase()}${name.slice(1)}`] ?? [] }))
    .filter(({ values, notValues }) => values.length + notValues.length > 0)
}

function ruleMatches(rule: WrittenRule, policy: WrittenPolicy, request: AskedRequest, domains: readonly string[]): boolean {
  const sources = (rule.from ?? [{ source: {} }]).map(({ source }) => clausesOf(source))
  const operations = (rule.to ?? [{ operation: {} }]).map(({ operation }) => clausesOf(operation))
  const conditions = (rule.when ?? []).map(({ key, values, notValues }) => ({ name: key, values: values ?? [], notValues: notValues ?? [] }))
  const all = [...sources.flat(), ...operations.flat(), ...conditions]
  if (request.http === undefined && policy.action === 'ALLOW' && all.some(({ name }) => needsHttp(name))) return false
  const holds = ({ name, values, notValues }: Clause): boolean => {
    if (request.http === undefined && needsHttp(name)) return true
    const fits = (value: string): boolean => attributeFits(name, value, request, policy.namespace, domains)
    return (values.length === 0 || values.some(fits)) && !notValues.some(fits)
  }
  return sources.some((one) => one.every(holds)) && operations.some((one) => one.every(holds)) && conditions.every(holds)
}

function attributeFits(name: string, value: string, request: AskedRequest, ownNamespace: string, domains: readonly string[]): boolean {
  const { peer, http } = request
  switch (name) {
    case 'principals':
    case 'source.principal': return peer !== undefined && principalFits(value, `${peer.domain}/ns/${peer.namespace}/sa/${peer.account}`, domains)
    case 'namespaces':
    case 'source.namespace': return peer !== undefined && wildcardFits(value, peer.namespace)
    case 'trustDomains':
    case 'source.trustDomain': return peer !== undefined && [value, ...(!value.includes('*') && isOfMesh(value, domains) ? domains : [])].some((one) => wildcardFits(one, peer.domain))
    case 'serviceAccounts':
    case 'source.serviceAccount': return peer !== undefined && (value.includes('/') ? value : `${ownNamespace}/${value}`) === `${peer.namespace}/${peer.account}`
    case 'ipBlocks':
    case 'source.ip': return ipFits(value, request.sourceIp)
    case 'remoteIpBlocks':
    case 'remote.ip': return ipFits(value, request.remoteIp)
    case 'destination.ip': return ipFits(value, request.destinationIp)
    case 'ports':
    case 'destination.port': return value === String(request.port)
    case 'connection.sni': return textFits(value, request.sni)
    case 'hosts': return textFits(value.toLowerCase(), http!.host.toLowerCase())
    case 'methods': return textFits(value, http!.method)
    case 'paths': return pathFits(value, http!.path.split(/[?#]/)[0]!)
    case 'requestPrincipals':
    case 'request.auth.principal': return requestPrincipalFits(value, http!.claims)
    case 'request.auth.audiences': return claimFits(value, http!.claims?.['aud'])
    case 'request.auth.presenter': return typeof http!.claims?.['azp'] === 'string' && textFits(value, http!.claims['azp'])
    default: return nested(name, value, http!)
  }
}

function nested(name: string, value: string, http: NonNullable<AskedRequest['http']>): boolean {
  const keys = [...name.matchAll(/\[([^\]]+)\]/g)].map((match) => match[1]!)
  if (name.startsWith('request.headers')) {
    const found = http.headers[keys[0]!.toLowerCase()]
    return found !== undefined && (value === '*' || textFits(value, found))
  }
  const claim = keys.reduce<unknown>((at, key) => (typeof at === 'object' && at !== null && !Array.isArray(at) ? (at as Record<string, unknown>)[key] : undefined), http.claims)
  return claimFits(value, claim)
}

function textFits(pattern: string, text: string): boolean {
  if (pattern === '*') return text !== ''
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1))
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern
}

const claimFits = (pattern: string, claim: unknown): boolean =>
  (Array.isArray(claim) ? claim : [claim]).some((one) => typeof one === 'string' && textFits(pattern, one))

function requestPrincipalFits(pattern: string, claims: Readonly<Record<string, unknown>> | undefined): boolean {
  const [issuer, subject] = [claims?.['iss'], claims?.['sub']]
  if (typeof issuer !== 'string' || typeof subject !== 'string') return false
  if (pattern === '*') return issuer !== '' && subject !== ''
  const slash = pattern.lastIndexOf('/')
  if (slash < 0) return false
  const [ofIssuer, ofSubject] = [pattern.slice(0, slash), pattern.slice(slash + 1)]
  const issuerFits = ofIssuer.startsWith('*') ? textFits(ofIssuer, issuer) : issuer === ofIssuer
  return issuerFits && (ofSubject.endsWith('*') ? textFits(ofSubject, subject) : subject === ofSubject)
}

function isOfMesh(domain: string, domains: readonly string[]): boolean {
  return domain === 'cluster.local' || domains.some((one) => (domain.startsWith('*') ? one.endsWith(domain.slice(1)) : domain.endsWith('*') ? one.startsWith(domain.slice(0, -1)) : one === domain))
}

function principalFits(pattern: string, principal: string, domains: readonly string[]): boolean {
  const [domain = '', ...rest] = pattern.split('/')
  const aliased = rest.length === 4 && domain !== '*' && isOfMesh(domain, domains)
  const patterns = aliased ? domains.map((one) => (domain.startsWith('*') && one.endsWith(domain.slice(1)) ? pattern : [one, ...rest].join('/'))) : [pattern]
  return patterns.some((one) => textFits(one, principal))
}

/** Stars anywhere, for anything without a slash. */
const wildcardFits = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.split('*').map((part) => part.replace(/[^\w]/g, '\\$&')).join('[^/]*')}$`).test(text)

function pathFits(pattern: string, path: string): boolean {
  if (!pattern.includes('{')) return textFits(pattern, path)
  return segmentsFit(pattern.split('/').slice(1), path)
}

function segmentsFit([first, ...rest]: readonly string[], path: string): boolean {
  if (first === undefined) return path === ''
  if (!path.startsWith('/')) return false
  const after = path.slice(1)
  if (first === '{**}') return Array.from({ length: after.length + 1 }, (_, at) => after.slice(at)).some((tail) => segmentsFit(rest, tail))
  const end = after.indexOf('/') < 0 ? after.length : after.indexOf('/')
  const segment = after.slice(0, end)
  return (first === '{*}' ? segment !== '' : segment === first) && segmentsFit(rest, after.slice(end))
}

/** By bits as text. */
function ipFits(block: string, ip: string): boolean {
  const [address = '', length] = block.split('/')
  if (address.includes(':') !== ip.includes(':')) return false
  const [one, other] = [bitsOf(address), bitsOf(ip)]
  const count = length === undefined ? one.length : Number(length)
  return one.slice(0, count) === other.slice(0, count)
}

function bitsOf(ip: string): string {
  if (!ip.includes(':')) return ip.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('')
  const [left = [], right = []] = ip.split('::').map((half) => half.split(':').filter((part) => part !== ''))
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  return groups.map((group) => parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}
