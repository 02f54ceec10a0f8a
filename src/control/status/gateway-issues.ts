// What is wrong with gateways beyond any one resource: servers that give way to older ones, credentials that are missing or
// cannot be used. Each costs only itself, so that these are warnings.
import type { ProxyNode } from '../translate/proxy-node.ts'
import { readProxyNode } from '../translate/proxy-node.ts'
import { gatewayKey, placeServers } from '../translate/gateway-servers.ts'
import { serverTlsProblem } from '../translate/listener/server-tls.ts'
import type { RefusedServer } from '../translate/gateway-servers.ts'
import { secretNamed, secretProblem } from '../translate/secret/kubernetes.ts'
import { resourceKey } from '../../model/resource.ts'
import type { FieldPath } from '../../model/resource.ts'
import type { Gateway, Snapshot } from '../snapshot.ts'
import type { ServerTls } from '../specs.ts'
import type { ResourceIssue } from './admission.ts'

/** `routers`: gateways that are connected; those that are workloads are known anyway. */
export function gatewayIssues(snapshot: Snapshot, routers: readonly ProxyNode[]): readonly ResourceIssue[] {
  if (snapshot.gateways.length === 0) return []
  const selectors = new Map(snapshot.gateways.map((gateway) => [JSON.stringify(gateway.spec.selector ?? {}), gateway]))
  const proxies = [...routers, ...[...selectors.values()].map((gateway) => imagined(gateway, snapshot))]
  const issues = [
    ...snapshot.gateways.flatMap((gateway) => credentialIssues(gateway, snapshot, routers)),
    ...proxies.flatMap((proxy) => placeServers(proxy, snapshot).refused.map(conflictIssue)),
  ]
  return [...new Map(issues.map((one) => [`${one.resource} ${one.path.join('.')} ${one.message}`, one])).values()]
}

/** A proxy that answers to exactly this Gateway's selector, and so to those that ask for less. */
function imagined(gateway: Gateway, snapshot: Snapshot): ProxyNode {
  const { namespace } = gateway.metadata
  return readProxyNode({
    id: `router~0.0.0.0~imagined.${namespace}~${namespace}.svc.${snapshot.mesh.domain}`,
    metadata: { LABELS: { ...gateway.spec.selector } },
  })
}

function issueOf(gateway: Gateway, path: FieldPath, message: string): ResourceIssue {
  const { namespace, name } = gateway.metadata
  return { severity: 'warning', message, path, origin: gateway.locate(path), resource: resourceKey('Gateway', namespace, name) }
}

function conflictIssue({ server, other }: RefusedServer): ResourceIssue {
  const older = `server ${other.index} of Gateway ${gatewayKey(other.gateway)}`
  const why = server.family === other.family ? 'has one of its hosts, or the port, already' : `makes the port one for ${other.family}`
  return issueOf(server.gateway, ['spec', 'servers', server.index], `does not open at port ${server.port}: ${older} ${why}, and it is older`)
}

function credentialIssues(gateway: Gateway, snapshot: Snapshot, routers: readonly ProxyNode[]): readonly ResourceIssue[] {
  const namespaces = namespacesOf(gateway, snapshot, routers)
  return (gateway.spec.servers ?? []).flatMap((server, index) => {
    const at: FieldPath = ['spec', 'servers', index, 'tls']
    const pins = serverTlsProblem(server)
    const wrong = pins === undefined ? [] : [issueOf(gateway, at, `the server does not open: ${pins}`)]
    return [...wrong, ...credentialsOf(server.tls ?? {}).flatMap(({ name, roots, path }) =>
      credentialProblems(snapshot, namespaces, name, roots).map((message) => issueOf(gateway, [...at, ...path], message)))]
  })
}

interface Credential {
  readonly name: string
  readonly roots: boolean
  readonly path: FieldPath
}

function credentialsOf(tls: ServerTls): readonly Credential[] {
  const verifies = tls.mode === 'MUTUAL' || tls.mode === 'OPTIONAL_MUTUAL'
  const own: Credential[] = tls.credentialName ? [{ name: tls.credentialName, roots: false, path: ['credentialName'] }]
    : (tls.credentialNames ?? []).map((name, index) => ({ name, roots: false, path: ['credentialNames', index] }))
  if (!verifies) return own
  if (tls.caCertCredentialName) return [...own, { name: tls.caCertCredentialName, roots: true, path: ['caCertCredentialName'] }]
  const [first] = own
  return first === undefined ? own : [...own, { ...first, roots: true }]
}

/** Where its proxies run, which is where their secrets must be; empty before one is known. */
function namespacesOf(gateway: Gateway, snapshot: Snapshot, routers: readonly ProxyNode[]): readonly string[] {
  return [...new Set(routers.filter((proxy) => snapshot.gatewaysFor(proxy.labels).includes(gateway)).map(({ namespace }) => namespace))]
}

/** Before a proxy is known, a secret of that name in any namespace may be the one. */
function credentialProblems(snapshot: Snapshot, known: readonly string[], credential: string, roots: boolean): readonly string[] {
  if (/^(?!kubernetes:)[a-z-]+:\/\//.test(credential)) return [] // the mesh's own, or said by the rules of the kind
  const name = credential.slice(credential.lastIndexOf('/') + 1)
  if (known.length > 0) return known.flatMap((namespace) => credentialProblem(snapshot, namespace, name, roots) ?? [])
  const holders = snapshot.resources.filter(({ kind, metadata }) => kind === 'Secret' && (metadata.name === name || metadata.name === `${name}-cacert`))
  if (holders.length === 0) return [`there is no Secret ${name}: connections to this server are refused until there is one in the namespace of the gateway's proxy`]
  const problems = holders.map(({ metadata }) => credentialProblem(snapshot, metadata.namespace, name, roots))
  return problems.includes(undefined) ? [] : [problems[0]!]
}

function credentialProblem(snapshot: Snapshot, namespace: string, name: string, roots: boolean): string | undefined {
  const secret = (roots ? secretNamed(snapshot, namespace, `${name}-cacert`) : undefined) ?? secretNamed(snapshot, namespace, name)
  const what = `Secret ${namespace}/${name}`
  if (secret === undefined) return `there is no ${what}, in the namespace of the gateway's proxy: connections to this server are refused until there is`
  const problem = secretProblem(secret, roots)
  const kept = 'proxies keep the last good one; without one, connections to this server are refused'
  return problem === undefined ? undefined : `${what} (${secret.origin.file}:${secret.origin.line}) cannot be used${roots ? ' to verify clients (ca.crt)' : ''}: ${problem}; ${kept}`
}
