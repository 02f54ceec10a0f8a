// What iptables does for a sidecar's Envoy, without them: its listeners are served with an address where they can be bound,
// and with the PROXY protocol in place of the kernel's original destination. Nothing else of what is served changes.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { ProxySession, ResourceSource, ServedResource } from '../../../src/control/serve/resource-source.ts'
import type { Address } from '../../../src/model/address.ts'
import { ListenerFilterSchema } from '../../../src/proto/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { Listener } from '../../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { ListenerSchema } from '../../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts'
import { typeUrls } from '../../../src/xds/types.ts'
import { socketAddress } from '../../support/xds-messages.ts'

const proxyProtocol = 'type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol'

/** Where each listener of each proxy stands: `${node id} ${listener}`. */
export type Standing = Map<string, Address>

/** Each listener gets an address of its own from `nextAddress`. */
export function standingListeners(source: ResourceSource, standing: Standing, nextAddress: () => Address): ResourceSource {
  return {
    get ready() {
      return source.ready
    },
    onPush: (listener) => source.onPush(listener),
    connect: (node) => standingSession(source.connect(node), standing, nextAddress),
  }
}

function standingSession(session: ProxySession, standing: Standing, nextAddress: () => Address): ProxySession {
  const known = new WeakMap<ServedResource, ServedResource>()
  const moved = (one: ServedResource): ServedResource => {
    if (one.typeUrl !== typeUrls.LDS) return one
    const key = `${session.node.id} ${one.name}`
    const address = standing.get(key) ?? nextAddress()
    standing.set(key, address)
    const made = known.get(one) ?? { ...one, bytes: toBinary(ListenerSchema, standAt(fromBinary(ListenerSchema, one.bytes), address, session.node.id.startsWith('sidecar~'))) }
    known.set(one, made)
    return made
  }
  return {
    node: session.node,
    record: session.record,
    get generation() {
      return session.generation
    },
    lists: (typeUrl) => session.lists(typeUrl).map((list) => list.map(moved)),
    get(typeUrl, name) {
      const found = session.get(typeUrl, name)
      return found === undefined ? undefined : moved(found)
    },
    close: () => session.close(),
  }
}

/** Changes the message that it is given. */
function standAt(listener: Listener, { host, port }: Address, captured: boolean): Listener {
  listener.address = socketAddress(host, port)
  if (!captured) return listener
  const preface = create(ListenerFilterSchema, { name: 'envoy.filters.listener.proxy_protocol', configType: { case: 'typedConfig', value: { typeUrl: proxyProtocol } } })
  listener.listenerFilters = [preface, ...listener.listenerFilters.filter(({ name }) => name !== 'envoy.filters.listener.original_dst')]
  delete listener.bindToPort
  delete listener.useOriginalDst
  return listener
}
