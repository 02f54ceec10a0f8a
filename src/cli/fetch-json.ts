// Asks an admin or debug server on loopback.
import { MeshError } from '../lib/errors.ts'
import type { Address } from '../model/address.ts'
import { formatAddress } from '../model/address.ts'

const timeoutMs = 10_000

/** Throws `cli/ask` with where it asked and what came. */
export async function fetchJson(at: Address, path: string): Promise<unknown> {
  const url = `http://${formatAddress(at)}${path}`
  let response: Response
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    throw new MeshError('cli/ask', `no answer from ${url}; is it running there?`, error instanceof Error ? error.cause : error)
  }
  if (!response.ok) throw new MeshError('cli/ask', `${url} answers ${response.status}: ${(await response.text()).trim()}`)
  return await response.json()
}
