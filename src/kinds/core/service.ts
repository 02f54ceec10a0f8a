// Kubernetes' Service, with all of its fields, so that a typing error does not pass (traffic spec 5.1).
import { z } from 'zod'
import { port } from '../fields/number.ts'
import type { Frozen, Kind } from '../kind.ts'

/** A number, or the name of a port of the Pods. */
const portOrName = z.custom<number | string>(
  (value) => (typeof value === 'string' ? /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value) : port.safeParse(value).success),
  'must be a port, 1 to 65535, or the name of one',
).meta({ type: 'port or name' })

const servicePort = z.strictObject({
  name: z.string().default(''),
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
  appProtocol: z.string().nullish(),
  port,
  targetPort: portOrName.optional(),
  nodePort: z.int().optional(),
})

const spec = z.strictObject({
  type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).default('ClusterIP'),
  ports: z.array(servicePort).default([]),
  selector: z.record(z.string(), z.string()).nullish(),
  clusterIP: z.string().default(''),
  clusterIPs: z.array(z.string()).default([]),
  externalIPs: z.array(z.string()).default([]),
  externalName: z.string().default(''),
  publishNotReadyAddresses: z.boolean().default(false),
  internalTrafficPolicy: z.enum(['Cluster', 'Local']).optional(),
  trafficDistribution: z.string().optional(),
  sessionAffinity: z.string().optional(),
  sessionAffinityConfig: z.unknown().optional(),
  externalTrafficPolicy: z.string().optional(),
  healthCheckNodePort: z.int().optional(),
  ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).optional(),
  ipFamily: z.string().optional(),
  ipFamilyPolicy: z.enum(['SingleStack', 'PreferDualStack', 'RequireDualStack']).optional(),
  loadBalancerClass: z.string().optional(),
  loadBalancerIP: z.string().optional(),
  loadBalancerSourceRanges: z.array(z.string()).optional(),
  allocateLoadBalancerNodePorts: z.boolean().optional(),
  topologyKeys: z.array(z.string()).optional(),
})

const address = z.looseObject({ ip: z.string().optional(), hostname: z.string().optional() })

const status = z.looseObject({
  loadBalancer: z.looseObject({ ingress: z.array(address).nullish() }).optional(),
})

const schema = z.strictObject({ spec, status: status.nullish() })

export type KubernetesService = z.infer<typeof schema>
export type KubernetesServiceSpec = Frozen<KubernetesService>

/** What a mesh has no part in, in Istio too. */
const ofTheCluster = [
  'ports[].nodePort', 'sessionAffinity', 'sessionAffinityConfig', 'externalTrafficPolicy', 'healthCheckNodePort', 'ipFamily',
  'loadBalancerClass', 'loadBalancerIP', 'loadBalancerSourceRanges', 'allocateLoadBalancerNodePorts', 'topologyKeys',
]

export const service: Kind<KubernetesService> = {
  kind: 'Service',
  group: '',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'object',
  schema,
  rules: [
    {
      severity: 'error',
      *check({ spec: { type, ports, externalName } }) {
        const names = new Set<string>()
        for (const [index, { name }] of ports.entries()) {
          if (name === '' && ports.length > 1) yield [['spec', 'ports', index], 'needs a name, since there are several ports']
          if (names.has(name)) yield [['spec', 'ports', index, 'name'], `the port ${name} is named twice`]
          names.add(name)
        }
        if (type === 'ExternalName' && externalName === '') yield [['spec', 'externalName'], 'is required for type ExternalName']
        if (type !== 'ExternalName' && ports.length === 0) yield [['spec', 'ports'], 'must have at least one port']
      },
    },
  ],
  notServed: [
    ...ofTheCluster.map((name) => ({ path: `spec.${name}`, quiet: "not read: the cluster's own business" })),
    ...['ipFamilies', 'ipFamilyPolicy'].map((name) => ({ path: `spec.${name}`, quiet: "the cluster's own business; `run --capture netns` gives addresses of these families" })),
  ],
}
