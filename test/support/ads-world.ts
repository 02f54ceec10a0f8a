// An ADS server without TLS, on a free port by default, and a client connection to it.
import { adsMethods } from '../../src/control/serve/ads.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import type { GrpcServer } from '../../src/control/serve/grpc.ts'
import type { ResourceSource } from '../../src/control/serve/resource-source.ts'
import { GrpcClient } from './grpc-client.ts'

export interface AdsWorld extends AsyncDisposable {
  readonly server: GrpcServer
  readonly client: GrpcClient
  readonly url: string
  readonly log: readonly string[]
}

export async function serveAds(source: ResourceSource, port = 0): Promise<AdsWorld> {
  const lines: string[] = []
  const log = (line: string): void => void lines.push(line)
  const server = await startGrpcServer({ methods: adsMethods(source, { log }), plaintextPort: port, log })
  const url = `http://127.0.0.1:${server.plaintextAddress!.port}`
  const client = new GrpcClient(url)
  return {
    server, client, url, log: lines,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await server.close()
    },
  }
}
