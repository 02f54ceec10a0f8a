// ProxyConfig: how proxies of a namespace, or of chosen workloads in it, are set up (traffic spec 1.9). The same by field as
// MeshConfig.defaultConfig, of which it is the part that operators of a namespace may say.
import { z } from 'zod'
import { idleTimeoutMetadata, otherVariables } from '../core/proxy-config.ts'
import { matchLabels } from '../fields/labels.ts'
import { count } from '../fields/number.ts'
import { parseDuration } from '../fields/duration.ts'
import { warning } from '../kind.ts'
import type { Frozen, Kind } from '../kind.ts'

const schema = z.strictObject({
  selector: matchLabels.optional(),
  concurrency: count.optional(),
  environmentVariables: z.record(z.string(), z.string()).default({}),
  image: z.strictObject({ imageType: z.string().default('') }).optional(),
})

export type NamespaceProxyConfig = z.infer<typeof schema>
export type NamespaceProxyConfigSpec = Frozen<NamespaceProxyConfig>

export const proxyConfig: Kind<NamespaceProxyConfig> = {
  kind: 'ProxyConfig',
  group: 'networking.istio.io',
  versions: ['v1beta1'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules: [
    warning(function* ({ environmentVariables: { [idleTimeoutMetadata]: idle } }) {
      if (idle !== undefined && parseDuration(idle) === undefined) yield [['environmentVariables', idleTimeoutMetadata], `${JSON.stringify(idle)} is not used: write a duration such as 1h or 30s`]
    }),
  ],
  notServed: [],
  neverServed: [
    { path: 'environmentVariables{}', severity: 'warning', ...otherVariables },
    { path: 'concurrency', severity: 'warning', message: 'is ignored: how many cores a proxy uses is its own setting' },
    { path: 'image', severity: 'warning', message: "is ignored: it names an image of Istio's own proxy" },
  ],
}
