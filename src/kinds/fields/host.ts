// Names of hosts, networks and addresses, as Istio takes them (RFC 1123 labels, a wildcard in the left-most label).
import { z } from 'zod'

const label = /^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/
const wildcardLabel = /^(\*|(\*-?)?[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)$/

export function isIPv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

export function isIPv6(text: string): boolean {
  if (text.length > 45 || !text.includes(':') || !/^[0-9a-fA-F:.]+$/.test(text)) return false
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1)
  const v4 = last !== undefined && last.includes('.')
  if (v4 && !isIPv4(last)) return false
  const hex = v4 ? groups.slice(0, -1) : groups
  const count = hex.length + (v4 ? 2 : 0)
  return hex.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) && (halves.length === 2 ? count < 8 : count === 8)
}

export const isIP = (text: string): boolean => isIPv4(text) || isIPv6(text)

export function isCidr(text: string): boolean {
  const [address, bits, ...more] = text.split('/')
  if (address === undefined || bits === undefined || more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits)) return false
  return isIPv4(address) ? Number(bits) <= 32 : isIPv6(address) && Number(bits) <= 128
}

/** RFC 1123 label: a namespace, a subset, a port. Capitals too, as Istio has it. */
export const isLabel = (text: string): boolean => label.test(text)

/** A DNS name without wildcard. */
export function isFqdn(text: string): boolean {
  return namesProblem(text, false) === undefined
}

/** A DNS name whose left-most label may be, or contain, a wildcard. */
export function isWildcardName(text: string): boolean {
  return namesProblem(text, true) === undefined
}

/** What is wrong with a name that may have a wildcard; undefined when nothing is. */
export const wildcardProblem = (text: string): string | undefined => namesProblem(text, true)

/** The mesh's own server names: `outbound_.80_.v1_.reviews.default.svc.cluster.local`. */
export const isSniName = (text: string): boolean => text.length <= 255 && /^outbound_\.\d{1,5}_\.[-a-z0-9]*_\.[-*.A-Za-z0-9]+$/.test(text)

/** `*-x.a.b`: a wildcard that is not a label of its own. */
export const isPartialWildcard = (text: string): boolean => text.includes('*') && text !== '*' && !text.startsWith('*.')

function namesProblem(text: string, wildcard: boolean): string | undefined {
  if (text === '') return 'must not be empty'
  if (text.length > 255) return `must be at most 255 characters, not ${text.length}`
  if (wildcard && text === '*') return undefined
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.')
  for (const [index, part] of labels.entries()) {
    const allowed = wildcard && index === 0 ? wildcardLabel : label
    if (!allowed.test(part)) return labelProblem(text, part, index, wildcard)
  }
  if (/^\d+$/.test(labels.at(-1)!)) return `${quote(text)} is no host name: its last label is all digits`
  return undefined
}

function labelProblem(text: string, part: string, index: number, wildcard: boolean): string {
  if (part === '') return `${quote(text)} is no host name: it has an empty label`
  if (!part.includes('*')) return `${quote(text)} is no host name: ${quote(part)} is not a DNS label`
  return wildcard && index > 0
    ? `${quote(text)}: a wildcard is allowed only in the left-most label`
    : `${quote(text)}: a wildcard is not allowed here`
}

const quote = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)

const checked = (problem: (text: string) => string | undefined) =>
  z.string().superRefine((text, context) => {
    const message = problem(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

export const fqdn = checked((text) => namesProblem(text, false)).meta({ type: 'host name' })
export const wildcardHost = checked((text) => namesProblem(text, true)).meta({ type: 'host name, wildcard' })

/** A host name or IP address. */
export const hostOrIp = checked((text) => (isIP(text) ? undefined : namesProblem(text, false))).meta({ type: 'host name or IP' })

/** Where traffic is sent: a host name, short or full. */
export const destinationHost = checked((text) =>
  text === '*' ? 'must name a host, not "*"' : isIP(text) ? undefined : namesProblem(text, true),
).meta({ type: 'host name' })

export const ipOrCidr = checked((text) =>
  isIP(text) || isCidr(text) ? undefined : `${quote(text)} is neither an IP address nor a CIDR such as 10.0.0.0/8`,
).meta({ type: 'IP or CIDR' })

export const dnsLabel = checked((text) =>
  isLabel(text) ? undefined : `${quote(text)} is not a DNS label: letters, digits and '-', at most 63`,
).meta({ type: 'DNS label' })
