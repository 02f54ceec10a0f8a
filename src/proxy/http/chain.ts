// The HTTP filters of a connection manager, compiled for one target of one route: per-route configuration resolved,
// filters without a hook dropped, one flat array per hook.
import type { Any } from '@bufbuild/protobuf/wkt'
import type { HttpFilter } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Exchange } from './exchange.ts'
import type { Filter } from './filter.ts'
import { filterKinds, typeOf } from './filters/table.ts'
import type { FilterContext, FilterKind } from './filters/table.ts'
import type { PerFilter } from './router/forward.ts'
import { badConfig, within } from './router/problem.ts'

/** A hook that is there: the filter is called through it. */
type With<Hook extends keyof Filter> = Filter & Required<Pick<Filter, Hook>>

export interface FilterChain {
  /** Of filters; without any, an exchange needs no slots. */
  readonly length: number
  /** To be copied. One for each filter of the manager: a filter has the same in every chain. */
  readonly emptySlots: readonly undefined[]
  readonly onRequest: readonly With<'onRequest'>[]
  /** Of each of `onRequest`, its place among all filters of the manager, which is the same in every chain of it. */
  readonly places: readonly number[]
  readonly onRequestData: readonly With<'onRequestData'>[]
  readonly recheck: readonly With<'recheck'>[]
  /** From here on in reverse order: the filter nearest to the upstream sees the response first. */
  readonly onResponse: readonly With<'onResponse'>[]
  readonly onResponseData: readonly With<'onResponseData'>[]
  readonly onResponseEnd: readonly With<'onResponseEnd'>[]
  readonly onEnd: readonly With<'onEnd'>[]
}

interface Configured {
  readonly name: string
  readonly kind: FilterKind
  readonly config: Any
  readonly disabled: boolean
}

/** Compiles chains, and keeps them by the object that they were compiled for. */
export class FilterChains {
  readonly #filters: readonly Configured[]
  readonly #context: FilterContext
  readonly #chains = new WeakMap<object, FilterChain>()
  readonly #base: FilterChain

  /** Throws when a filter is not known or its configuration is wrong, here or for no route in particular. */
  constructor(filters: readonly HttpFilter[], context: FilterContext) {
    this.#context = context
    this.#filters = filters.flatMap((filter) => within(`http filter ${filter.name}`, () => configured(filter)))
    this.#base = this.#compile({})
  }

  /** For a target or an answering route; for requests without a route, the filters as they stand. */
  of(key: { readonly perFilter: PerFilter } | undefined): FilterChain {
    if (key === undefined) return this.#base
    const known = this.#chains.get(key)
    if (known !== undefined) return known
    const chain = Object.keys(key.perFilter).length === 0 ? this.#base : this.#compile(key.perFilter)
    this.#chains.set(key, chain)
    return chain
  }

  #compile(perFilter: PerFilter): FilterChain {
    return chainOf(this.#filters.map(({ name, kind, config, disabled }, slot) => {
      const override = perFilter[name]
      return disabled && override === undefined ? undefined : kind.create(config, override, { ...this.#context, slot })
    }))
  }
}

/** Where a request goes on in this chain when it has passed the filters of another up to `place`. */
export function after(place: number, { places }: FilterChain): number {
  const next = places.findIndex((one) => one > place)
  return next === -1 ? places.length : next
}

function configured(filter: HttpFilter): Configured[] {
  const typed = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined
  if (filter.configType.case === 'configDiscovery') throw badConfig('config_discovery is not served yet')
  const kind = filterKinds.get(typed === undefined ? filter.name : typeOf(typed)) ?? filterKinds.get(filter.name)
  if (kind !== undefined && typed !== undefined) return [{ name: filter.name, kind, config: typed, disabled: filter.disabled }]
  if (filter.isOptional || filter.disabled) return []
  throw badConfig(typed === undefined ? 'no configuration' : `${typeOf(typed)} is not supported, or not served yet`)
}

/** Undefined where a filter of the manager has nothing to do. */
export function chainOf(all: readonly (Filter | undefined)[]): FilterChain {
  const filters = all.filter((filter) => filter !== undefined)
  const reversed = filters.toReversed()
  return {
    length: filters.length,
    emptySlots: all.map(() => undefined),
    onRequest: filters.filter((filter): filter is With<'onRequest'> => filter.onRequest !== undefined),
    places: all.flatMap((filter, place) => (filter?.onRequest === undefined ? [] : [place])),
    onRequestData: filters.filter((filter): filter is With<'onRequestData'> => filter.onRequestData !== undefined),
    recheck: filters.filter((filter): filter is With<'recheck'> => filter.recheck !== undefined),
    onResponse: reversed.filter((filter): filter is With<'onResponse'> => filter.onResponse !== undefined),
    onResponseData: reversed.filter((filter): filter is With<'onResponseData'> => filter.onResponseData !== undefined),
    onResponseEnd: reversed.filter((filter): filter is With<'onResponseEnd'> => filter.onResponseEnd !== undefined),
    onEnd: reversed.filter((filter): filter is With<'onEnd'> => filter.onEnd !== undefined),
  }
}

/** Whether one of these (of a data hook) may make the body of this exchange longer or shorter. */
export function changesBody(filters: readonly Filter[], exchange: Exchange): boolean {
  for (let i = 0; i < filters.length; i++) if (filters[i]!.leavesBodies?.(exchange) !== true) return true
  return false
}
