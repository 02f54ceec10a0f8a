// The kind of pool that a cluster's protocol asks for.
import type { HttpProtocol } from '../cluster-config.ts'
import { AutoPool } from './auto-pool.ts'
import { H1Pool } from './h1-pool.ts'
import { H2Pool } from './h2-pool.ts'
import type { Pool, PoolParts, PoolTarget } from './pool.ts'

/** Without TLS nothing can be negotiated: HTTP/1.1 then, as in Envoy. */
export function createPool(protocol: Exclude<HttpProtocol, 'downstream'>, target: PoolTarget, parts: PoolParts): Pool {
  switch (protocol) {
    case 'http1': return new H1Pool(target, parts)
    case 'http2': return new H2Pool(target, parts)
    case 'auto': return target.host.socket.tls === undefined ? new H1Pool(target, parts) : new AutoPool(target, parts)
  }
}
