// Kinds that are known by name only. Istio's and Gateway API's are announced loudly, since they ask for behaviour;
// those of Kubernetes that do not concern the mesh pass in silence, so that an exported cluster can be given as it is.

/** Valid, and not served yet. */
const later: Readonly<Record<string, readonly string[]>> = {
  'networking.istio.io': ['EnvoyFilter'],
  'security.istio.io': [],
  'telemetry.istio.io': ['Telemetry'],
  'extensions.istio.io': ['WasmPlugin', 'TrafficExtension'],
  'gateway.networking.k8s.io': [
    'Gateway', 'GatewayClass', 'HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute', 'ReferenceGrant', 'BackendTLSPolicy', 'ListenerSet',
  ],
  'gateway.networking.x-k8s.io': ['XBackendTrafficPolicy', 'XListenerSet', 'XMesh'],
  'inference.networking.k8s.io': ['InferencePool'],
  'networking.k8s.io': ['Ingress', 'IngressClass'],
}

/** Of those, the ones that are not to be expected, and why. */
const refused: Readonly<Record<string, string>> = {
  'networking.istio.io/EnvoyFilter':
    "is refused: it edits Envoy's configuration, which is no contract of this mesh; nothing of it is applied, and everything else goes on",
}

/** What is said of a kind that is known and not served. */
export const laterMessage = (group: string, kind: string): string =>
  `${kind} ${refused[`${group}/${kind}`] ?? 'is not served yet: the mesh behaves as if it were not there'}`

export const isRefused = (group: string, kind: string): boolean => `${group}/${kind}` in refused

/** Not the mesh's business. Groups of their own, such as custom resources of others, are inert as a whole. */
const inert: Readonly<Record<string, readonly string[]>> = {
  '': [
    'Binding', 'ComponentStatus', 'Event', 'LimitRange', 'PersistentVolume', 'PersistentVolumeClaim', 'PodTemplate', 'ReplicationController',
    'ResourceQuota',
  ],
  apps: ['ControllerRevision', 'DaemonSet', 'ReplicaSet', 'StatefulSet'],
  batch: ['CronJob', 'Job'],
  autoscaling: ['HorizontalPodAutoscaler'],
  policy: ['PodDisruptionBudget', 'PodSecurityPolicy'],
  'rbac.authorization.k8s.io': ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'],
  'networking.k8s.io': ['NetworkPolicy', 'IPAddress', 'ServiceCIDR'],
  'admissionregistration.k8s.io': [
    'MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding',
    'MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding',
  ],
  'apiextensions.k8s.io': ['CustomResourceDefinition'],
  'apiregistration.k8s.io': ['APIService'],
  'certificates.k8s.io': ['CertificateSigningRequest', 'ClusterTrustBundle'],
  'coordination.k8s.io': ['Lease', 'LeaseCandidate'],
  'events.k8s.io': ['Event'],
  'flowcontrol.apiserver.k8s.io': ['FlowSchema', 'PriorityLevelConfiguration'],
  'node.k8s.io': ['RuntimeClass'],
  'scheduling.k8s.io': ['PriorityClass'],
  'storage.k8s.io': ['CSIDriver', 'CSINode', 'CSIStorageCapacity', 'StorageClass', 'VolumeAttachment', 'VolumeAttributesClass'],
}

export type KnownKind = 'later' | 'inert'

/** Undefined: nobody knows it. */
export function knownKind(group: string, kind: string): KnownKind | undefined {
  if (later[group]?.includes(kind) === true) return 'later'
  if (inert[group]?.includes(kind) === true) return 'inert'
  return undefined
}

/** Groups in which an unknown kind is a mistake; in any other it is somebody else's custom resource. */
export const ownGroups: ReadonlySet<string> = new Set([...Object.keys(later), ...Object.keys(inert), 'trysail.dev', 'discovery.k8s.io'])

export const laterKinds: readonly (readonly [group: string, kind: string])[] = Object.entries(later).flatMap(([group, kinds]) =>
  kinds.map((kind) => [group, kind] as const),
)

export const knownNames: readonly string[] = [...Object.values(later), ...Object.values(inert)].flat()
