// Addresses for Processes without a proxy, which are otherwise reached where they listen on this machine: in networks of their
// own each needs one that the others know.
import type { ProcessSpec } from '../../../kinds/trysail/process.ts'
import { ofKind } from '../../../kinds/table.ts'
import type { Resource } from '../../../model/resource.ts'
import { AddressPool } from '../../../sources/registry/address-pool.ts'
import type { Source, SourceState } from '../../../sources/source.ts'

/** In nobody else's range. */
export const bareRange = '10.193.0.0/16'

/** The same objects as before where nothing about them changed. */
export function withOwnAddresses(source: Source): Source {
  const pool = new AddressPool(bareRange)
  const made = new WeakMap<Resource, Resource>()
  let from: SourceState | undefined
  let state: SourceState | undefined
  return {
    start: (onChange) => source.start(onChange),
    close: () => source.close(),
    current() {
      const now = source.current()
      if (state === undefined || from !== now) state = addressed(now, pool, made)
      from = now
      return state
    },
  }
}

function addressed(now: SourceState, pool: AddressPool, made: WeakMap<Resource, Resource>): SourceState {
  const bare = new Set<Resource>(ofKind(now.resources, 'Process').filter(({ spec }) => spec.proxyType === 'none'))
  if (bare.size === 0) return now
  const addresses = pool.assign([...bare].map(nameOf), new Set())
  const own = (one: Resource): Resource => {
    const known = made.get(one) ?? Object.freeze({ ...one, spec: { ...(one.spec as ProcessSpec), address: addresses.get(nameOf(one)) } })
    made.set(one, known)
    return known
  }
  return { ...now, resources: now.resources.map((one) => (bare.has(one) ? own(one) : one)) }
}

const nameOf = ({ metadata: { namespace, name } }: Resource): string => `${namespace}/${name}`
