// Who a client is where other proxies stand before this one: the address that the first trusted of them wrote into
// x-forwarded-for. Whatever stands left of it the client may have written itself.
import { isName } from '../../net/resolve.ts'

/** The one at place `hops` from the end; undefined where there are fewer, or it is no address. */
export function addressBeforeHops(forwardedFor: string, hops: number): string | undefined {
  let end = forwardedFor.length
  for (let left = hops; left > 1; left--) {
    end = end <= 0 ? -1 : forwardedFor.lastIndexOf(',', end - 1)
    if (end < 0) return undefined
  }
  const start = end === 0 ? 0 : forwardedFor.lastIndexOf(',', end - 1) + 1
  const host = forwardedFor.slice(start, end).trim()
  return host === '' || isName({ host }) ? undefined : host
}
