// What control plane and proxies agree on about keys of token issuers that the control plane fetched: it writes into the key
// set where it has them from, and a proxy that is shown a token of a key that is not there says so. Envoy reads past the one
// and never does the other; to it new keys come when the control plane refreshes them.

/** The type of a request that names key sources, which nothing answers but newer keys. */
export const missingKeysType = 'type.googleapis.com/trysail.v1.MissingKeys'

const field = 'trysail.dev/source'

/** `keys`: a JSON Web Key Set. Other forms have no place for it and stay as they are. */
export function withSource(keys: string, source: string): string {
  const text = keys.trimEnd()
  return text.endsWith('}') && text.includes('"keys"') ? `${text.slice(0, -1)},${JSON.stringify(field)}:${JSON.stringify(source)}}` : keys
}

/** Undefined: nobody has newer ones than the configuration. */
export function sourceIn(keys: string): string | undefined {
  if (!keys.includes(field)) return undefined
  try {
    const value: unknown = JSON.parse(keys)
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined
    const source: unknown = Reflect.get(value, field)
    return typeof source === 'string' ? source : undefined
  } catch {
    return undefined // whoever reads the keys says what is wrong with them
  }
}
