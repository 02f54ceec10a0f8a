// A small HTTP client for documents of other people's servers: one GET, bounded in time and size. Addresses of the machine's
// own link, where clouds keep credentials, are never asked; redirects never lead to less safety than was asked for.
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { lookup } from 'node:dns'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import { netError } from './errors.ts'
import { request as httpRequest } from './node-http.ts'

export interface HttpGet {
  readonly url: string
  /** From the first packet to the last. */
  readonly timeoutMs: number
  readonly maxBytes: number
  /** PEM, beside those of the system. */
  readonly roots?: string
  readonly signal?: AbortSignal
}

export interface HttpDocument {
  readonly status: number
  readonly body: string
  /** Seconds for which the server says it holds; undefined where it does not say. */
  readonly maxAge: number | undefined
}

const maxRedirects = 3

/** Rejects with a NetError. */
export async function httpGet(get: HttpGet): Promise<HttpDocument> {
  const limit = AbortSignal.timeout(get.timeoutMs)
  const signal = get.signal === undefined ? limit : AbortSignal.any([limit, get.signal])
  let url = readUrl(get.url)
  for (let redirects = 0; ; redirects++) {
    const response = await ask(url, get, signal)
    const { status, location } = response
    if (status < 300 || status > 399 || location === undefined) return response
    if (redirects === maxRedirects) throw netError('net/failed', `${get.url} redirects more than ${maxRedirects} times`)
    const next = readUrl(new URL(location, url).href)
    if (url.protocol === 'https:' && next.protocol !== 'https:') throw netError('net/failed', `${get.url} redirects from https to ${next.href}, which is not followed`)
    url = next
  }
}

function readUrl(text: string): URL {
  if (!URL.canParse(text)) throw netError('net/failed', `${JSON.stringify(text)} is no URL`)
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw netError('net/failed', `${text} is neither http nor https`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && isForbidden(host)) throw forbidden(host)
  return url
}

interface Answer extends HttpDocument {
  readonly location: string | undefined
}

function ask(url: URL, { maxBytes, roots, timeoutMs }: HttpGet, signal: AbortSignal): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const failed = (error: Error): void =>
    reject(signal.aborted ? netError('net/timeout', `no whole answer from ${url.href} within ${timeoutMs} ms`) : netError('net/failed', `cannot get ${url.href}: ${error.message}`, error))
  const request = send(url, { signal, agent: false, headers: { accept: 'application/json' }, lookup: allowedLookup, ...(roots === undefined ? {} : { ca: [...rootCertificates, roots] }) }, (response) => {
    response.on('error', failed)
    collect(response, maxBytes).then(resolve, failed)
  })
  request.on('error', failed)
  request.end()
  return promise
}

async function collect(response: IncomingMessage, maxBytes: number): Promise<Answer> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > maxBytes) {
      response.destroy()
      throw netError('net/failed', `it has more than ${maxBytes} bytes`)
    }
    pieces.push(piece)
  }
  const { statusCode = 0, headers } = response
  return { status: statusCode, body: Buffer.concat(pieces).toString('utf8'), maxAge: maxAgeOf(headers['cache-control']), location: headers.location }
}

function maxAgeOf(cacheControl: string | undefined): number | undefined {
  const seconds = /(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])/i.exec(cacheControl ?? '')?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}

const blocked = new BlockList()
blocked.addSubnet('169.254.0.0', 16, 'ipv4')
blocked.addSubnet('fe80::', 10, 'ipv6')
blocked.addAddress('fd00:ec2::254', 'ipv6')

const isForbidden = (address: string): boolean => blocked.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

const forbidden = (address: string) => netError('net/failed', `${address} is an address of this machine's own link, which is never asked`)

/** Also names may lead there. */
function allowedLookup(host: string, options: LookupOptions, callback: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void): void {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '')
    const allowed = addresses.filter(({ address }) => !isForbidden(address))
    const [first] = allowed
    if (first === undefined) return callback(forbidden(addresses[0]?.address ?? host), '')
    if (options.all === true) callback(null, allowed)
    else callback(null, first.address, first.family)
  })
}
