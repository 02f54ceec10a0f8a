// SDS: whom the mesh trusts now, roots and revocations, for proxies that got their certificate from this control plane. With
// it a new root, or a revocation, is everywhere as soon as it is pushed, not when certificates are renewed. A name of our
// own: Envoys, whose agents read files, do not ask for it.
import { SecretSchema } from '../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { meshTrustName } from '../../../xds/types.ts'
import { translator } from '../translator.ts'

interface TrustView {
  readonly [part: string]: string
  readonly roots: string
  readonly crl: string
}

export const meshTrust = translator<TrustView, typeof SecretSchema>('sds-mesh-trust', {
  schema: SecretSchema,
  // Asked for by name only.
  names: () => [],
  view: (_proxy, { trust }, name) => (name === meshTrustName ? trust && { ...trust } : undefined),
  build({ roots, crl }) {
    const inline = (value: string) => ({ specifier: { case: 'inlineString' as const, value } })
    return { name: meshTrustName, type: { case: 'validationContext', value: { trustedCa: inline(roots), ...(crl !== '' && { crl: inline(crl) }) } } }
  },
})
