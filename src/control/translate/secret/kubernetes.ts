// SDS: certificates and roots of Kubernetes Secrets, for gateways of the secret's own namespace (traffic spec 4.2). The
// workload's own certificate and the mesh's roots never come from here: a proxy makes its key itself.
import type { Resource } from '../../../model/resource.ts'
import { SecretSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { Snapshot } from '../../snapshot.ts'
import type { Init } from '../any.ts'
import type { ProxyNode } from '../proxy-node.ts'
import { translator } from '../translator.ts'

interface SecretView {
  readonly [part: string]: string | object
  readonly name: string
  readonly secret: Resource
}

const scheme = 'kubernetes://'
const rootsSuffix = '-cacert'

export const secrets = translator<SecretView, typeof SecretSchema>('sds-kubernetes', {
  schema: SecretSchema,
  // Asked for by name only; nothing lists secrets.
  names: () => [],
  view: secretView,
  build: buildSecret,
})

/** A proxy gets secrets of its own namespace and of no other. */
function secretView(proxy: ProxyNode, snapshot: Snapshot, name: string): SecretView | undefined {
  if (!name.startsWith(scheme) || proxy.type !== 'router') return undefined
  const parts = name.slice(scheme.length).split('/')
  const [namespace, secretName] = parts.length === 1 ? [proxy.namespace, parts[0]!] : [parts[0]!, parts[1]!]
  if (namespace !== proxy.namespace || parts.length > 2) return undefined
  const found = secretNamed(snapshot, namespace, secretName)
    ?? (secretName.endsWith(rootsSuffix) ? secretNamed(snapshot, namespace, secretName.slice(0, -rootsSuffix.length)) : undefined)
  if (found === undefined || !usable(found, name)) return undefined
  return { name, secret: found }
}

function secretNamed(snapshot: Snapshot, namespace: string, name: string): Resource | undefined {
  return snapshot.resources.find((one) => one.kind === 'Secret' && one.metadata.namespace === namespace && one.metadata.name === name)
}

const usable = (secret: Resource, name: string): boolean =>
  name.endsWith(rootsSuffix) ? dataOf(secret, 'ca.crt', 'cacert') !== undefined
    : dataOf(secret, 'tls.crt', 'cert') !== undefined && dataOf(secret, 'tls.key', 'key') !== undefined

/** The first of these keys, decoded. */
function dataOf(secret: Resource, ...keys: readonly string[]): Uint8Array | undefined {
  const spec = secret.spec as { readonly data?: Readonly<Record<string, string>>; readonly stringData?: Readonly<Record<string, string>> }
  for (const key of keys) {
    const encoded = spec.data?.[key]
    if (encoded !== undefined) return Buffer.from(encoded, 'base64')
    const plain = spec.stringData?.[key]
    if (plain !== undefined) return Buffer.from(plain, 'utf8')
  }
  return undefined
}

function buildSecret({ name, secret }: SecretView): Init<typeof SecretSchema> {
  const bytes = (...keys: readonly string[]) => {
    const value = dataOf(secret, ...keys)
    return value === undefined ? {} : { specifier: { case: 'inlineBytes' as const, value } }
  }
  if (name.endsWith(rootsSuffix)) {
    return { name, type: { case: 'validationContext', value: { trustedCa: bytes('ca.crt', 'cacert') } } }
  }
  return {
    name,
    type: { case: 'tlsCertificate', value: { certificateChain: bytes('tls.crt', 'cert'), privateKey: bytes('tls.key', 'key') } },
  }
}
