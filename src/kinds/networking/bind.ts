// Addresses that a listener opens, and unix sockets, which stand in their place.
import { isIP } from '../fields/host.ts'

/** What is wrong with `unix:///path`, `unix://@abstract`; undefined when nothing is. */
export function unixProblem(text: string): string | undefined {
  const path = text.slice('unix://'.length)
  if (path.startsWith('@')) return path === '@' ? `${JSON.stringify(text)} names no socket` : undefined
  return path.startsWith('/') && !path.endsWith('/') ? undefined : `${JSON.stringify(text)} is not the absolute path of a socket: write unix:///path/of/socket`
}

/** Empty is any address. */
export function bindProblem(bind: string): string | undefined {
  if (bind === '') return undefined
  if (bind.startsWith('unix://')) return unixProblem(bind)
  return isIP(bind) ? undefined : `${JSON.stringify(bind)} is neither an IP address nor unix:///path/of/socket`
}
