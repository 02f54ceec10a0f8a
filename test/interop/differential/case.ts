// What a case of the differential suite is: a mesh written in Istio's kinds, requests, and what both proxies must show.
// Plain data; how it is run is world.ts's and run.ts's business.

/** How a backend answers one delivery. A number is a status. */
export interface Answer {
  readonly status?: number
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string
  readonly trailers?: readonly (readonly [string, string])[]
  /** Before the answer begins. */
  readonly delayMs?: number
  /** Between the head and the body. */
  readonly bodyDelayMs?: number
  /** The exact bytes instead. */
  readonly raw?: string
  /** What happens to the connection instead of an answer, or after the bytes of `raw`. */
  readonly then?: 'reset' | 'close'
  /** Of the reset of a stream; by default INTERNAL_ERROR. */
  readonly code?: number
  /** Before the body of the request has come. */
  readonly early?: boolean
}

export type Answers = readonly (Answer | number)[]

export interface Host {
  readonly labels?: Readonly<Record<string, string>>
  /** Nobody listens there. */
  readonly closed?: boolean
  /** In order of deliveries; the last one is repeated. */
  readonly answers?: Answers
}

export interface ServiceSpec {
  /** By default one. */
  readonly hosts?: readonly Host[]
  /** Of all its hosts together, unless a host has its own. */
  readonly answers?: Answers
  /** Name of the service port, which says its protocol, and its number. */
  readonly port?: { readonly name: string; readonly number: number }
  /** It has no address of its own; its port is that of its hosts, whatever number is given. */
  readonly headless?: boolean
}

type Texts = Readonly<Record<string, string | RegExp | null>>

/** What is not named is not looked at here; both proxies are compared in all of it anyway. */
export interface Expected {
  /** 0: no answer, only the end of the connection. */
  readonly status?: number
  readonly body?: string | RegExp
  /** Of the answer; null for none. */
  readonly headers?: Texts
  /** Who got it, delivery by delivery: `a` is any host of service a, `a/1` its second. */
  readonly to?: readonly string[]
  /** What the last delivery was. */
  readonly path?: string
  readonly seen?: Texts
  readonly seenBody?: string | RegExp
  readonly flags?: string
  readonly details?: string | RegExp
  readonly route?: string
  readonly cluster?: string | RegExp
  readonly trailers?: Texts
  /** Share of the deliveries, by host or service, of requests that are made many `times`. */
  readonly share?: Readonly<Record<string, number>>
  readonly atLeastMs?: number
}

export interface Ask {
  readonly method?: string
  readonly path?: string
  /** By default the short name's full one, or the host of the case at a gateway. `$to` is where the connection was going. */
  readonly host?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
  readonly chunked?: boolean
  readonly trailers?: Readonly<Record<string, string>>
  /** The exact bytes instead, `$host` filled in; the answer is all that comes until the connection ends or falls silent. */
  readonly raw?: string
  /** Through curl, with these further parameters. Only at gateways. */
  readonly curl?: readonly string[]
  /** Over mutual TLS, with a certificate of the mesh's CA for this identity. */
  readonly mutual?: { readonly identity: string; readonly serverName?: string }
  /** Over HTTP/2 instead, by prior knowledge. */
  readonly http2?: boolean
  /** Why it is asked as it is written and in no other way (over.ts). */
  readonly only?: string
  readonly times?: number
  /** Requests that are made at the same time as this one, each the same. */
  readonly together?: number
  /** The client gives up after so long. */
  readonly leaveMs?: number
  /** Where the connection was going: service name, host (`a/1`) or address, and port. By default the first service, port 80; of a host, its own. */
  readonly to?: string
  readonly port?: number
  readonly expect: Expected
  /** Where the two differ on purpose, or not yet as they should. */
  readonly differs?: Difference
}

export interface Difference {
  readonly why: string
  /** What Envoy shows; what ours shows stands in `expect`. */
  readonly envoy: Expected
}

export interface Case {
  readonly title: string
  readonly role?: 'outbound' | 'inbound' | 'gateway' | 'strict'
  /** By default one service `a` with one host. */
  readonly services?: Readonly<Record<string, ServiceSpec>>
  /** `http` of a VirtualService for the host of the first service, or of the case at a gateway: YAML. */
  readonly http?: string
  /** `spec` without host of a DestinationRule for the first service: YAML flow. */
  readonly rule?: string
  /** Whole documents: `$ns` is the namespace, `$host` the host, `$net` the network, `$port` a gateway port of the case. */
  readonly yaml?: string
  readonly asks: readonly Ask[]
  /** Neither the order of what is compared nor these parts of it need be the same: `log.bytes`, `headers.x`. */
  readonly loose?: readonly string[]
  /** Where it is known how the control plane judges the documents. */
  readonly issues?: RegExp
}

/** One request with what is expected, for tables that fit on a line. */
export const one = (title: string, http: string, ask: Ask, more: Partial<Case> = {}): Case => ({ title, http, asks: [ask], ...more })

/** What Envoy shows where ours shows something else, and why. */
export const unlike = (why: string, envoy: Expected): { readonly differs: Difference } => ({ differs: { why, envoy } })
