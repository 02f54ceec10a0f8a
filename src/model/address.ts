// A place to connect to or listen on. A value: compare by `formatAddress`.

export interface Address {
  /** An IPv4 or IPv6 literal without brackets, a host name where one is allowed, or `unix:///path` with port 0. */
  readonly host: string
  readonly port: number
}

/** `1.2.3.4:80`, `[::1]:80`, `unix:///path`. */
export function formatAddress(at: Address): string {
  if (at.host.startsWith('unix://')) return at.host
  return at.host.includes(':') ? `[${at.host}]:${at.port}` : `${at.host}:${at.port}`
}

/** Reads `host:port` or `[v6]:port`; undefined when it is neither. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const port = Number(match[3])
  if (port > 65535) return undefined
  return { host: (match[1] ?? match[2])!, port }
}
