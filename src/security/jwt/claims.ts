// Reads claims by name and path, and makes texts of them as headers carry them.
import { own } from './token.ts'
import type { Claims } from './token.ts'

/** `realm_access.roles`: a path into objects. */
export function claimAt(payload: Claims, path: string): unknown {
  let at: unknown = payload
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined
    at = own(at as Claims, step)
  }
  return at
}

/** Texts, numbers and booleans, and base64 of the JSON of lists and objects; undefined for what a header cannot carry. */
export function claimText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string': return value === '' || hasControls(value) ? undefined : value
    case 'number': return Number.isInteger(value) && value >= 0 ? String(BigInt(value)) : value.toFixed(6)
    case 'boolean': return String(value)
    case 'object': return value === null ? undefined : Buffer.from(jsonAsEnvoyWritesIt(value)).toString('base64')
    default: return undefined
  }
}

const jsonAsEnvoyWritesIt = (value: object): string => JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')

/** A line's end in a claim must not become one of the request. */
function hasControls(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

/** The payload with lists instead of texts that list by spaces, such as `scope`. */
export function withLists(payload: Claims, spaceDelimited: readonly string[]): Claims {
  const listed = spaceDelimited.filter((name) => typeof own(payload, name) === 'string')
  if (listed.length === 0) return payload
  return { ...payload, ...Object.fromEntries(listed.map((name) => [name, (payload[name] as string).split(' ').filter((one) => one !== '')])) }
}
