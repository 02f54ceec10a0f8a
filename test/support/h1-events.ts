// Runs the HTTP/1.1 parser over bytes cut in any way and writes down what it reports, pieces of a body joined.
import { H1Error } from '../../src/codec/h1/errors.ts'
import { H1Parser } from '../../src/codec/h1/parser.ts'
import type { H1Limits } from '../../src/codec/h1/types.ts'

export type H1Event =
  | { readonly head: string; readonly headers: readonly string[]; readonly framing: string; readonly keepAlive: boolean }
  | { readonly body: string }
  | { readonly end: readonly string[] | undefined }
  | { readonly error: string; readonly status: number }

export interface ParseOptions {
  readonly role?: 'request' | 'response'
  readonly limits?: H1Limits
  /** For responses. */
  readonly requestMethod?: string
  /** Positions at which the input is cut. */
  readonly cuts?: readonly number[]
  /** Ends the connection after the input. */
  readonly finish?: boolean
}

/** Whatever but H1Error is thrown goes through. */
export function parseEvents(input: string | Buffer, options: ParseOptions = {}): H1Event[] {
  const { role = 'request', limits, requestMethod, cuts = [], finish = false } = options
  const bytes = typeof input === 'string' ? Buffer.from(input, 'latin1') : input
  const events: H1Event[] = []
  const parser = new H1Parser(
    role,
    {
      onHead(head) {
        const line = role === 'request' ? `${head.method} ${head.target} 1.${head.minor}` : `${head.status} ${head.reason} 1.${head.minor}`
        const framing = head.framing === 'length' ? `length ${head.contentLength}` : head.framing
        events.push({ head: line, headers: [...head.headers.flat], framing, keepAlive: head.keepAlive })
      },
      onBody(piece, at, end) {
        const last = events.at(-1)
        const text = piece.toString('latin1', at, end)
        if (last !== undefined && 'body' in last) events[events.length - 1] = { body: last.body + text }
        else events.push({ body: text })
      },
      onMessageEnd(trailers) {
        events.push({ end: trailers === undefined ? undefined : [...trailers.flat] })
      },
    },
    limits,
  )
  if (requestMethod !== undefined) parser.expectResponseTo(requestMethod)
  try {
    const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
    for (let n = 1; n < edges.length; n++) {
      // A copy that is scribbled over afterwards: a parser that kept a reference would show it.
      const piece = Buffer.from(bytes.subarray(edges[n - 1], edges[n]))
      parser.execute(piece, 0, piece.length)
      piece.fill(0x58)
    }
    if (finish) parser.finish()
  } catch (error) {
    if (!(error instanceof H1Error)) throw error
    events.push({ error: error.code, status: error.status })
  }
  return events
}
