// Kubernetes' Secret. Messages name keys, never values.
import { z } from 'zod'
import { secretValues } from '../fields/secret-values.ts'
import { warning } from '../kind.ts'
import type { Frozen, Kind } from '../kind.ts'

const base64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/

/** z.custom with a fixed text: zod's own messages could show the value. */
const encoded = z.custom<string>((value) => typeof value === 'string' && base64.test(value), 'must be a base64 string').meta({ type: 'base64' })
const plain = z.custom<string>((value) => typeof value === 'string', 'must be a string').meta({ type: 'string' })

const schema = z.strictObject({
  type: z.string().default('Opaque'),
  data: z.record(z.string(), encoded).nullish().transform((map) => secretValues(map ?? {})),
  stringData: z.record(z.string(), plain).transform(secretValues).optional(),
  immutable: z.boolean().optional(),
})

export type Secret = z.infer<typeof schema>
export type SecretSpec = Frozen<Secret>

/** A key's value as bytes, from whichever of data and stringData has it; stringData wins, as in Kubernetes. */
export function secretValue(secret: SecretSpec, key: string): Buffer | undefined {
  const text = secret.stringData?.[key]
  if (text !== undefined) return Buffer.from(text)
  const data = secret.data[key]
  return data === undefined ? undefined : Buffer.from(data, 'base64')
}

const staple = 'tls.ocsp-staple'

export const secret: Kind<Secret> = {
  kind: 'Secret',
  group: '',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'object',
  schema,
  rules: [warning(function* ({ data, stringData }) {
    for (const map of ['data', 'stringData'] as const) {
      if ((map === 'data' ? data : stringData)?.[staple] !== undefined) yield [[map, staple], 'is not served yet: no proxy staples it to its certificate, and clients that insist on it go elsewhere']
    }
  })],
  notServed: [],
}
