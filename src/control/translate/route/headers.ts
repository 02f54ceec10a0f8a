// Operations on headers: removals run first, then `set` in sorted order, then `add` (traffic spec 1.2.4).
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { HeaderValueOptionSchema } from '../../../proto/gen/envoy/config/core/v3/base_pb.ts'
import type { HeaderOperations, Headers } from '../../virtual-service-spec.ts'
import { sortedEntries } from './match.ts'
import type { Init } from '../any.ts'

type HeaderValueOption = Init<typeof HeaderValueOptionSchema>

export interface HeaderFields {
  readonly requestHeadersToAdd: HeaderValueOption[]
  readonly requestHeadersToRemove: string[]
  readonly responseHeadersToAdd: HeaderValueOption[]
  readonly responseHeadersToRemove: string[]
}

/** The fields of a route, virtual host or weighted cluster, of several levels one after the other. */
export function headerFields(...levels: readonly (Headers | undefined)[]): HeaderFields {
  const request = levels.map((level) => level?.request)
  const response = levels.map((level) => level?.response)
  return {
    requestHeadersToAdd: request.flatMap(additions),
    requestHeadersToRemove: request.flatMap((one) => one?.remove ?? []),
    responseHeadersToAdd: response.flatMap(additions),
    responseHeadersToRemove: response.flatMap((one) => one?.remove ?? []),
  }
}

function additions(operations: HeaderOperations | undefined): HeaderValueOption[] {
  const option = (appendAction: AppendAction) => ([key, value]: [string, string]): HeaderValueOption => ({ header: { key, value }, appendAction })
  return [
    ...sortedEntries(operations?.set).filter(([name]) => !isAuthority(name)).map(option(AppendAction.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...sortedEntries(operations?.add).filter(([name]) => !isAuthority(name)).map(option(AppendAction.APPEND_IF_EXISTS_OR_ADD)),
  ]
}

const isAuthority = (name: string): boolean => name.toLowerCase() === 'host' || name.toLowerCase() === ':authority'

/** The Host that header operations set, which is a rewrite of its own in Envoy; `set` before `add`. */
export function authorityOf(headers: Headers | undefined): string | undefined {
  const all = [...sortedEntries(headers?.request?.set), ...sortedEntries(headers?.request?.add)]
  return all.find(([name]) => isAuthority(name))?.[1]
}
