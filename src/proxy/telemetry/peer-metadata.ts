// The `x-envoy-peer-metadata` header, by which two proxies tell each other who they are: base64 of a protobuf Struct with
// its keys in order (security spec 3.4). Written once for each proxy; what peers say is read once for each text.
import { fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { StructSchema } from '@bufbuild/protobuf/wkt'
import { formatSpiffeId } from '../../model/spiffe-id.ts'
import type { NodeMetadata } from '../http/runtime.ts'
import type { ProxySettings } from '../settings.ts'
import { nodeIdOf } from '../xds/node.ts'
import { appOf, canonicalRevisionOf, canonicalServiceOf, unknownPeer, versionOf } from './peer.ts'
import type { PeerFacts } from './peer.ts'

/** What one proxy says of itself in every exchange. */
export function nodeMetadataOf(settings: ProxySettings): NodeMetadata {
  return { id: nodeIdOf(settings), metadata: encodePeerMetadata(settings) }
}

export function encodePeerMetadata(settings: ProxySettings): string {
  const { name, namespace, serviceAccount, trustDomain, clusterId, labels } = settings
  const workload = settings.workloadName || name
  const [region = '', zone = ''] = settings.locality.split('/')
  const said: Record<string, JsonValue> = {
    AVAILABILITY_ZONE: zone,
    CLUSTER_ID: clusterId,
    IDENTITY: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
    LABELS: known({
      app: appOf(labels),
      'service.istio.io/canonical-name': canonicalServiceOf(labels, workload),
      'service.istio.io/canonical-revision': canonicalRevisionOf(labels),
      version: versionOf(labels),
    }),
    NAME: name,
    NAMESPACE: namespace,
    REGION: region,
    WORKLOAD_NAME: workload,
  }
  return Buffer.from(toBinary(StructSchema, fromJson(StructSchema, known(said)))).toString('base64')
}

const known = (all: Readonly<Record<string, JsonValue>>): JsonObject => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))

/** Ours are about 300 bytes, and Istio's 1 KB with many labels. Longer ones are not worth their memory in a cache. */
const maxTextLength = 4_096
/** Of one value: the longest name that Kubernetes has. */
const maxValueLength = 253

/** Whatever is not metadata is a peer that said nothing: it is not refused for that. */
export function decodePeerMetadata(text: string): PeerFacts {
  const said = text.length > maxTextLength ? undefined : structOf(text)
  if (said === undefined) return unknownPeer
  const labels = labelsOf(said['LABELS'])
  const workload = textOf(said['WORKLOAD_NAME'])
  return {
    workload,
    namespace: textOf(said['NAMESPACE']),
    canonicalService: canonicalServiceOf(labels, workload),
    canonicalRevision: canonicalRevisionOf(labels),
    app: appOf(labels),
    version: versionOf(labels),
    cluster: textOf(said['CLUSTER_ID']),
  }
}

function structOf(text: string): JsonObject | undefined {
  try {
    return toJson(StructSchema, fromBinary(StructSchema, Buffer.from(text, 'base64'))) as JsonObject
  } catch {
    return undefined // not a Struct
  }
}

function labelsOf(value: JsonValue | undefined): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  return Object.fromEntries(Object.entries(value).map(([name, label]) => [name, textOf(label)]))
}

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value.slice(0, maxValueLength) : '')
