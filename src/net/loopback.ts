// What counts as this machine and nobody else.

/** The authority of a request to a server on loopback: by its own names, or none at all. */
export function isLoopbackAuthority(host: string | undefined): boolean {
  return host === undefined || /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/.test(host)
}

/** The address of a peer. */
export function isLoopbackAddress(host: string): boolean {
  return /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host) || host === '::1'
}
