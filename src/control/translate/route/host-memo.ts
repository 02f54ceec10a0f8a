// Virtual hosts that are the same in the next table. A table has one for each service of a port, and an edit changes one of
// them: the others are not made, and not encoded, again.
import { create } from '@bufbuild/protobuf'
import type { Service } from '../../../model/service.ts'
import { VirtualHostSchema } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import type { VirtualHost } from '../../../proto/gen/envoy/config/route/v3/route_components_pb.ts'
import { sameItems } from '../../intern.ts'
import type { VirtualHostInit } from './virtual-host.ts'

interface Entry {
  readonly parts: readonly unknown[]
  readonly host: VirtualHost
}

/** For as long as the services are there. */
const known = new WeakMap<Service, Map<string, Entry>>()

/** The last one of a place that was made of these very parts: all that `make` reads besides the service. */
export function hostOf(service: Service, place: string, parts: readonly unknown[], make: () => VirtualHostInit): VirtualHost {
  const entries = known.get(service) ?? new Map<string, Entry>()
  known.set(service, entries)
  const entry = entries.get(place)
  if (entry !== undefined && sameItems(entry.parts, parts)) return entry.host
  const host = create(VirtualHostSchema, make())
  entries.set(place, { parts, host })
  return host
}
