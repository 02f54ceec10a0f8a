// Values of a test in one line, as they would be written in YAML's flow style: expected beside observed.
import type { Answer } from '../explain/answer.ts'
import { requestLine } from '../explain/text.ts'

/** More of a value than this, nobody reads in a line. */
const maxLength = 500

export function shown(field: string, value: unknown): string {
  const text = flow(field, Array.isArray(value) && value.length === 1 && field.endsWith('destination') ? value[0] : value)
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
}

function flow(name: string, value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `[${value.map((one) => flow('', one)).join(', ')}]`
  if (typeof value === 'object') return fields(value as Readonly<Record<string, unknown>>)
  if (typeof value === 'number' && durations.has(name.replace(/^not\./, ''))) return duration(value)
  if (value === '') return 'none'
  return typeof value === 'string' ? quoted(value) : JSON.stringify(value)
}

const durations: ReadonlySet<string> = new Set(['timeout', 'perTryTimeout', 'fixedDelay'])

/** As explain writes them. */
const duration = (ms: number): string => (ms === 0 ? 'none' : ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`)

function fields(value: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(value).filter(([name, inner]) => !isNothing(inner) && !(name === 'cluster' && value['host'] !== undefined))
  return parts.length === 0 ? '{}' : `{ ${parts.map(([name, inner]) => `${name}: ${flow(name, inner)}`).join(', ')} }`
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'object' && Object.values(value).every(isNothing))

const quoted = (text: string): string => (/^[\w./:*-][\w ./:*+@%-]*$/.test(text) ? text : JSON.stringify(text))

/** `GET http://reviews:9080/reviews/1 with end-user: jason, from default/productpage-v1`. */
export function requestText({ request, from }: Answer): string {
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`).join(', ')
  return `${requestLine(request)}${headers === '' ? '' : ` with ${headers}`}, from ${from}`
}

/** `VirtualService default/reviews http[1] (reviews.yaml:14)`. */
export function matchedText({ matchedVirtualService, routeIndex, matchIndex, protocol, origin, listener }: Answer): string {
  const at = origin === null ? '' : ` (${origin.file}:${origin.line})`
  if (matchedVirtualService === null) return listener === null ? 'nothing listens where the request goes' : `no VirtualService${at}`
  const rule = routeIndex === null ? '' : ` ${protocol ?? 'http'}[${routeIndex}]${matchIndex === null ? '' : `.match[${matchIndex}]`}`
  return `VirtualService ${matchedVirtualService}${rule}${at}`
}
