// String matches and RE2 patterns. All of Istio's patterns match the whole text, in time linear in its length.
import { RE2JS } from 're2js'
import { z } from 'zod'

const maxPatternLength = 1024

/** What is wrong with a pattern; undefined when RE2 takes it. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern === '') return 'a regular expression must not be empty'
  if (pattern.length > maxPatternLength) {
    return `a regular expression must be at most ${maxPatternLength} characters, not ${pattern.length}`
  }
  try {
    RE2JS.compile(pattern)
    return undefined
  } catch (cause) {
    return `${JSON.stringify(pattern)} is not a regular expression that RE2 takes: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

export const regex = z
  .string()
  .superRefine((pattern, context) => {
    const message = patternProblem(pattern)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
  .meta({ type: 'RE2 pattern' })

const oneAtMost = (match: object): boolean => Object.keys(match).length <= 1

/** `{exact}`, `{prefix}` or `{regex}`: exactly one. */
export const stringMatch = z
  .strictObject({ exact: z.string().optional(), prefix: z.string().optional(), regex: regex.optional() })
  .refine((match) => Object.keys(match).length === 1, 'must have exactly one of exact, prefix and regex')

/** Where `{}` and the pattern `*` mean: present. */
export const presenceMatch = z
  .strictObject({
    exact: z.string().optional(),
    prefix: z.string().min(1, 'must not be empty: a match on presence is written {}').optional(),
    regex: z
      .string()
      .superRefine((pattern, context) => {
        const message = pattern === '*' ? undefined : patternProblem(pattern)
        if (message !== undefined) context.addIssue({ code: 'custom', message })
      })
      .optional()
      .meta({ type: 'RE2 pattern' }),
  })
  .refine(oneAtMost, 'must have at most one of exact, prefix and regex')

export interface StringMatch {
  readonly exact?: string | undefined
  readonly prefix?: string | undefined
  readonly regex?: string | undefined
}
