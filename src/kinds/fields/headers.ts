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

const values = z
  .record(z.string(), z.string())
  .superRefine((map, context) => {
    for (const [name, value] of Object.entries(map)) {
      if (!isHeaderName(name)) {
        context.addIssue({ code: 'custom', message: `${JSON.stringify(name)} is not the name of a header`, path: [name] })
      } else if (hasControls(value)) {
        context.addIssue({ code: 'custom', message: 'must not contain control characters', path: [name] })
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
