// What a provider of ext_authz said of a request, however it was asked.
import type { Exchange } from '../exchange.ts'
import type { HeldBody, LocalReply } from '../filter.ts'
import type { SideAnswer, SideQuestion } from '../side-request.ts'

export type Verdict =
  | { readonly kind: 'allowed'; readonly changes: (exchange: Exchange) => void; /** Flat names and values, for the response. */ readonly toClient: readonly string[]; readonly changesRoute: boolean }
  | { readonly kind: 'denied'; readonly reply: LocalReply }
  /** It has not said anything that counts. */
  | { readonly kind: 'failed' }

export const failed: Verdict = { kind: 'failed' }

export const denied = (status: number, body: string, headers: readonly string[]): Verdict =>
  ({ kind: 'denied', reply: { status, body, details: 'ext_authz_denied', flags: 'UAEX', headers, grpcStatus: undefined } })

/** Says whether the body in the question is all of it. */
export const partialBodyHeader = 'x-envoy-auth-partial-body'

/** A way to ask. */
export interface Provider {
  readonly cluster: string
  readonly timeoutMs: number
  /** `body`: where the provider is to see it. */
  ask(exchange: Exchange, body: HeldBody | undefined): SideQuestion
  read(answer: SideAnswer): Verdict
}
