// Operations on headers of requests and responses.
import { z } from 'zod'

const token = /^:?[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

export const isHeaderName = (name: string): boolean => name.length <= 1024 && token.test(name)

/** Control characters could let a value end its header line; only the tab is allowed. */
function hasControls(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if ((code < 0x20 && code !== 9) || code === 0x7f) return true
  }
  return false
}

/** Headers that the router works with under these names; they can be matched, and only the authority can be set. */
const pseudoHeaders = [':authority', ':method', ':path', ':scheme']
const fieldName = /^[-_A-Za-z0-9]+$/

/** What is wrong with the name of a header that a match looks at. */
export function matchedHeaderProblem(name: string): string | undefined {
  if (name.startsWith('@')) {
    return isClaim(name) ? undefined : `${JSON.stringify(name)} is not a claim of a token: write @request.auth.claims.NAME or @request.auth.claims[NAME][NAME]`
  }
  if (name.startsWith(':')) {
    return pseudoHeaders.includes(name) ? undefined : `${JSON.stringify(name)} cannot be matched: of the names that begin with ':' only ${pseudoHeaders.join(', ')} can`
  }
  return fieldName.test(name) ? undefined : `${JSON.stringify(name)} is not the name of a header`
}

/** `@request.auth.claims.groups`, `@request.auth.claims[realm][roles]`. */
export const isClaim = (name: string): boolean => /^@request\.auth\.claims(\.[^.[\]]+(\.[^.[\]]+)*|(\[[^[\]]+\])+)$/i.test(name)

export const isAuthority = (name: string): boolean => [':authority', 'host'].includes(name.toLowerCase())

/** The name of a header in a list of CORS. */
export const isCorsHeader = (name: string): boolean => name === '*' || fieldName.test(name)

/**
 * What is wrong with a value in which `%NAME%` and `%NAME(arguments)%` stand for facts of the request, as Envoy reads it;
 * `%%` is a plain one.
 */
export function formatProblem(value: string): string | undefined {
  for (let at = value.indexOf('%'); at >= 0; at = value.indexOf('%', at)) {
    if (value[at + 1] === '%') {
      at += 2
      continue
    }
    const expression = /^%[^%(]+(\((?:[^()"\\]|"(?:[^"\\]|\\.)*"|\\.)*\)(?::\d+)?)? *%/.exec(value.slice(at, at + 1024))
    if (expression === null) return `has a % that nothing closes: a plain one is written %%`
    at += expression[0].length
  }
  return undefined
}

const values = z
  .record(z.string(), z.string())
  .superRefine((map, context) => {
    for (const [name, value] of Object.entries(map)) {
      if (!isHeaderName(name)) {
        context.addIssue({ code: 'custom', message: `${JSON.stringify(name)} is not the name of a header`, path: [name] })
      } else if (hasControls(value)) {
        context.addIssue({ code: 'custom', message: 'must not contain control characters', path: [name] })
      } else {
        const message = formatProblem(value)
        if (message !== undefined) context.addIssue({ code: 'custom', message, path: [name] })
      }
    }
  })
  .default({})
  .meta({ type: 'headers' })

const operations = z.strictObject({
  set: values,
  add: values,
  remove: z.array(z.string().refine(isHeaderName, 'is not the name of a header')).default([]),
})

export const headers = z.strictObject({ request: operations.optional(), response: operations.optional() })

export type Headers = z.infer<typeof headers>
