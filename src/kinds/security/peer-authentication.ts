// PeerAuthentication: whether workloads take mutual TLS, plaintext, or both (security spec 2.1).
import { z } from 'zod'
import { matchLabels } from '../fields/labels.ts'
import { error, warning } from '../kind.ts'
import type { Frozen, Kind, Rule } from '../kind.ts'

const mutualTls = z.strictObject({ mode: z.enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']).default('UNSET') })

const schema = z.strictObject({
  selector: matchLabels.optional(),
  mtls: mutualTls.optional(),
  portLevelMtls: z.record(z.string(), mutualTls).refine((ports) => Object.keys(ports).length > 0, 'must name at least one port: remove it otherwise').default({}),
})

export type PeerAuthentication = z.infer<typeof schema>
export type PeerAuthenticationSpec = Frozen<PeerAuthentication>

const isPort = (text: string): boolean => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535

const rules: readonly Rule<PeerAuthentication>[] = [
  error(function* (spec) {
    const selects = Object.keys(spec.selector?.matchLabels ?? {}).length > 0
    if (Object.keys(spec.portLevelMtls).length > 0 && !selects) {
      yield [['portLevelMtls'], 'needs a selector with labels: ports are those of a workload']
    }
  }),
  error(function* (spec) {
    for (const port of Object.keys(spec.portLevelMtls)) {
      if (!isPort(port)) yield [['portLevelMtls', port], `${JSON.stringify(port)} is not a port, 1 to 65535`]
    }
  }),
  warning(function* ({ selector }) {
    if (selector !== undefined && Object.keys(selector.matchLabels).length === 0) {
      yield [['selector'], 'selects every workload of the namespace, since it has no matchLabels']
    }
  }),
]

export const peerAuthentication: Kind<PeerAuthentication> = {
  kind: 'PeerAuthentication',
  group: 'security.istio.io',
  versions: ['v1', 'v1beta1'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules,
  notServed: [],
}
