// The ways in which a case is asked: as it is written, over HTTP/2, or as a call of gRPC. What a client sees, and what a backend
// of HTTP/1.1 gets, is what Envoy makes of it. What has no meaning in a way is named here, with its reason; over.test.ts counts.
import type { Ask, Case } from './case.ts'

export interface Way {
  /** Behind the title of a case. */
  readonly name: string
  /** The case with the requests that can be asked so; undefined if there is none. */
  of(one: Case): Case | undefined
}

/** Whole cases that are another thing in HTTP/2. */
const ofHttp1: Readonly<Record<string, string>> = {
  'header values with commands of Envoy': 'shows %PROTOCOL%; see cases/http2.ts',
  'hop-by-hop headers stay behind': 'a client of HTTP/2 may not send them',
  'a port without a protocol is sniffed: HTTP': 'HTTP/2 goes on as such, which the backends behind it do not speak',
  'a client that leaves': 'has words of its own, see cases/http2.ts',
  'Connection: close': 'a field of HTTP/1.1 alone',
  'reason phrases are those of the status': 'there are none, and a length of 0 is not said where END_STREAM says it',
  'token: good and bad together': "node's client does not send it",
  'token: no text is none': 'a value that ends in a space is none',
}

const asHttp2 = 'over HTTP/2 as it is'

/** Why this request cannot be asked over HTTP/2. */
function obstacle({ raw, curl, http2, only }: Ask): string | undefined {
  if (only !== undefined) return only
  if (raw !== undefined) return 'bytes of HTTP/1.1, or of no HTTP at all'
  if (curl !== undefined) return 'about curl'
  return http2 === true ? asHttp2 : undefined
}

/** A request that was written out only so that its path stays as it is. */
const written = /^([A-Z]+) (\/[\w\-./~%?=&;,:@!$'()*+]*) HTTP\/1\.1\r\nhost: \$host\r\n(?:connection: close\r\n)?\r\n$/i

function unwritten(asked: Ask): Ask {
  const [, method, path] = written.exec(asked.raw ?? '') ?? []
  if (method === undefined || path === undefined || !/^(?:GET|HEAD|POST|PUT|DELETE)$/.test(method)) return asked
  const { raw: _bytes, ...rest } = asked
  return { ...rest, method, path }
}

/** Why a case is not asked over HTTP/2, nor as gRPC: of the case, or of each of its requests. */
export function reasonsAgainst(one: Case): readonly string[] {
  const own = ofHttp1[one.title]
  return own === undefined ? one.asks.flatMap((asked) => obstacle(unwritten(asked)) ?? []) : [own]
}

function by(name: string, change: (asked: Ask, one: Case) => Ask): Way {
  return {
    name,
    of(one) {
      if (ofHttp1[one.title] !== undefined) return undefined
      const asks = one.asks.map(unwritten)
      // What is asked over HTTP/2 as it is keeps its place: backends answer in turn.
      const possible = asks.filter((asked) => obstacle(asked) === undefined || obstacle(asked) === asHttp2)
      return asks.every((asked) => obstacle(asked) !== undefined) ? undefined : { ...one, title: one.title + name, asks: possible.map((asked) => (asked.http2 === true ? asked : change(asked, one))) }
    },
  }
}

export const asWritten: Way = { name: '', of: (one) => one }
export const http2: Way = by(', over HTTP/2', (asked) => ({ ...asked, http2: true }))

/** Of many requests fewer are as good: what a share may be off by follows from their number. */
const enough = 150

/** Who gets a share of calls is who gets it of requests, where no answer says otherwise: one that fails is another thing to a call. */
const sharesOf = ({ expect: { share } }: Ask, one: Case): Ask['expect'] => (share === undefined || JSON.stringify(one.services ?? {}).includes('"answers"') ? {} : { share })

/** What is expected of HTTP is not what is answered to gRPC: there the two proxies are held against each other alone. No call has a length. */
export const grpc: Way = by(', as gRPC', (asked, one) => ({
  ...asked, http2: true, chunked: true, method: 'POST', body: asked.body ?? '', headers: { ...asked.headers, 'content-type': 'application/grpc', te: 'trailers' }, expect: sharesOf(asked, one),
  ...(asked.times === undefined ? {} : { times: Math.min(asked.times, enough) }),
  ...(asked.differs === undefined ? {} : { differs: { ...asked.differs, envoy: {} } }),
}))

export const inWay = (way: Way, cases: readonly Case[]): Case[] => cases.flatMap((one) => way.of(one) ?? [])
