// A program in a mesh that calls the gRPC service `grpc-echo` through its own sidecar when it is asked to, every case of gRPC's
// interop suite, and answers with what came of each, as JSON.
import { createServer } from 'node:http'
import { EchoClient } from '../grpc-echo.ts'
import { interopCases } from '../grpc-interop.ts'

const at = { host: process.env['GRPC_ECHO_SERVICE_HOST'] ?? '', port: Number(process.env['GRPC_ECHO_SERVICE_PORT']) }
const client = new EchoClient(at)

const server = createServer((_request, response) => {
  const all = Object.entries(interopCases).map(async ([name, { run }]): Promise<[string, unknown]> => [name, await run(client, at).catch((error: unknown) => String(error))])
  void Promise.all(all).then((results) => response.end(JSON.stringify(Object.fromEntries(results))))
}).listen(Number(process.env['PORT']), '127.0.0.1')
process.once('SIGTERM', () => server.close(() => process.exit(0)))
