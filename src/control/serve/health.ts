// grpc.health.v1.Health/Check for the server as a whole: what load balancers and probes of gRPC ask.
import type { UnaryMethod } from './rpc.ts'

/** HealthCheckResponse { status: SERVING }. A server that listens, serves. */
const serving = Uint8Array.of(0x08, 1)

export const healthMethod: UnaryMethod = {
  kind: 'unary',
  path: '/grpc.health.v1.Health/Check',
  handle: () => Promise.resolve(serving),
}
