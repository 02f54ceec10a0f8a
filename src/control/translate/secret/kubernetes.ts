// SDS: certificates and roots of Kubernetes Secrets, for proxies of the secret's own namespace (traffic spec 4.2). The
// workload's own certificate and the mesh's roots never come from here: a proxy makes its key itself. One that cannot be used
// is not sent: proxies keep the last good one.
import { MeshError } from '../../../lib/errors.ts'
import type { Resource } from '../../../model/resource.ts'
import { SecretSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { bundleProblem, keyPairProblem } from '../../../security/x509/key-pair.ts'
import { selects } from '../../hosts.ts'
import type { DestinationRule } from '../../snapshot/destination-rules.ts'
import type { TrafficPolicy } from '../../destination-rule-spec.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { Init } from '../any.ts'
import { peerOf } from '../inbound-ports.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'

interface SecretView {
  readonly [part: string]: string | object
  readonly name: string
  readonly secret: Resource
}

/** Of the mesh's CA: it is nobody's credential. */
export const caSecretName = 'cacerts'

const scheme = 'kubernetes://'
const rootsSuffix = '-cacert'

export const secrets = translator<SecretView, typeof SecretSchema>('sds-kubernetes', {
  schema: SecretSchema,
  // Asked for by name only; nothing lists secrets.
  names: () => [],
  view: secretView,
  build: buildSecret,
})

/** A proxy gets secrets of its own namespace and of no other; a sidecar only those that a DestinationRule picks it for. */
function secretView(proxy: ProxyNode, snapshot: Snapshot, name: string): SecretView | undefined {
  if (!name.startsWith(scheme)) return undefined
  const parts = name.slice(scheme.length).split('/')
  const [namespace, secretName] = parts.length === 1 ? [proxy.namespace, parts[0]!] : [parts[0]!, parts[1]!]
  if (namespace !== proxy.namespace || parts.length > 2 || secretName === caSecretName || secretName === `${caSecretName}${rootsSuffix}`) return undefined
  if (proxy.type !== 'router' && !isPicked(proxy, snapshot, secretName)) return undefined
  const found = secretNamed(snapshot, namespace, secretName)
    ?? (secretName.endsWith(rootsSuffix) ? secretNamed(snapshot, namespace, secretName.slice(0, -rootsSuffix.length)) : undefined)
  if (found === undefined || !usable(found, name)) return undefined
  return { name, secret: found }
}

/** By a DestinationRule of its namespace with a workloadSelector (traffic spec 1.3.6): without one, sidecars get no credentials. */
function isPicked(proxy: ProxyNode, snapshot: Snapshot, secretName: string): boolean {
  const name = secretName.endsWith(rootsSuffix) ? secretName.slice(0, -rootsSuffix.length) : secretName
  const { labels } = peerOf(proxy, snapshot)
  return snapshot.resources.some((one) => {
    if (one.kind !== 'DestinationRule' || one.metadata.namespace !== proxy.namespace) return false
    const { workloadSelector, trafficPolicy, subsets = [] } = (one as DestinationRule).spec
    return workloadSelector !== undefined && selects(workloadSelector.matchLabels ?? {}, labels)
      && [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].some((policy) => namesCredential(policy, name))
  })
}

function namesCredential(policy: TrafficPolicy | undefined, name: string): boolean {
  return [policy?.tls, ...(policy?.portLevelSettings ?? []).map(({ tls }) => tls)].some((tls) => tls?.credentialName !== undefined && plainName(tls.credentialName) === name)
}

/** Of `kubernetes://NAMESPACE/NAME` too; that the namespace is its own has been seen to. */
const plainName = (credential: string): string => (credential.startsWith(scheme) ? credential.slice(credential.lastIndexOf('/') + 1) : credential)

const byName = new WeakMap<readonly Resource[], ReadonlyMap<string, Resource>>()

export function secretNamed({ resources }: Snapshot, namespace: string, name: string): Resource | undefined {
  const known = byName.get(resources)
    ?? new Map(resources.filter(({ kind }) => kind === 'Secret').map((one) => [`${one.metadata.namespace}/${one.metadata.name}`, one]))
  byName.set(resources, known)
  return known.get(`${namespace}/${name}`)
}

const usable = (secret: Resource, name: string): boolean =>
  name.endsWith(rootsSuffix) ? dataOf(secret, ...rootKeys) !== undefined
    : dataOf(secret, ...chainKeys) !== undefined && dataOf(secret, ...keyKeys) !== undefined

/** The first of these keys, decoded. Plain text wins, as in Kubernetes. */
function dataOf(secret: Resource, ...keys: readonly string[]): Uint8Array | undefined {
  const spec = secret.spec as { readonly data?: Readonly<Record<string, string>>; readonly stringData?: Readonly<Record<string, string>> }
  for (const key of keys) {
    const plain = spec.stringData?.[key]
    if (plain !== undefined) return Buffer.from(plain, 'utf8')
    const encoded = spec.data?.[key]
    if (encoded !== undefined) return Buffer.from(encoded, 'base64')
  }
  return undefined
}

/** What keeps a secret from being shown or trusted; undefined for nothing. Tells keys by name, never what is in them. */
export function secretProblem(secret: Resource, isRoots: boolean): string | undefined {
  const known = isRoots ? rootProblems : pairProblems
  if (!known.has(secret)) known.set(secret, findProblem(secret, isRoots))
  return known.get(secret)
}

const rootProblems = new WeakMap<Resource, string | undefined>()
const pairProblems = new WeakMap<Resource, string | undefined>()

function findProblem(secret: Resource, isRoots: boolean): string | undefined {
  const text = (...keys: readonly string[]) => Buffer.from(dataOf(secret, ...keys) ?? []).toString('utf8')
  return isRoots ? bundleProblem(text(...rootKeys), text(...listKeys)) : keyPairProblem(text(...chainKeys), text(...keyKeys))
}

const rootKeys = ['ca.crt', 'cacert']
const listKeys = ['ca.crl', 'crl']
const chainKeys = ['tls.crt', 'cert']
const keyKeys = ['tls.key', 'key']

function buildSecret({ name, secret }: SecretView): Init<typeof SecretSchema> {
  const problem = secretProblem(secret, name.endsWith(rootsSuffix))
  if (problem !== undefined) {
    throw new MeshError('control/not-translatable', `Secret ${secret.metadata.namespace}/${secret.metadata.name} (${secret.origin.file}:${secret.origin.line}): ${problem}`)
  }
  const bytes = (...keys: readonly string[]) => ({ specifier: { case: 'inlineBytes' as const, value: dataOf(secret, ...keys) ?? new Uint8Array() } })
  if (name.endsWith(rootsSuffix)) {
    return { name, type: { case: 'validationContext', value: { trustedCa: bytes(...rootKeys), ...(dataOf(secret, ...listKeys) !== undefined && { crl: bytes(...listKeys) }) } } }
  }
  return {
    name,
    type: { case: 'tlsCertificate', value: { certificateChain: bytes(...chainKeys), privateKey: bytes(...keyKeys) } },
  }
}
