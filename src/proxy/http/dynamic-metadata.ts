// What filters learn about a request and other filters, routes and logs read: Envoy's dynamic metadata, by the namespace
// of the filter that learnt it. An exchange has none until something is set.
import type { Exchange } from './exchange.ts'

/** One namespace's values. Frozen by agreement: whoever sets it never edits it after. */
export type Metadata = Readonly<Record<string, unknown>>

/** Replaces what the namespace held. */
export function setMetadata(exchange: Exchange, namespace: string, value: Metadata): void {
  exchange.dynamicMetadata ??= new Map()
  exchange.dynamicMetadata.set(namespace, value)
}

export const getMetadata = (exchange: Exchange, namespace: string): Metadata | undefined => exchange.dynamicMetadata?.get(namespace)
