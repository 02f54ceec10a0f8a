// The cases of gRPC's own interop suite (doc/interop-test-descriptions.md of grpc/grpc), by their names there, between two ends
// on @grpc/grpc-js: what each comes to, whatever proxies are between. A message begins with the size of what it asks for.
import { once } from 'node:events'
import type { ServiceError } from '@grpc/grpc-js'
import { Metadata, compressionAlgorithms, status } from '@grpc/grpc-js'
import { EchoClient, codeOf, collect, sized } from './grpc-echo.ts'
import type { Address } from '../../src/model/address.ts'

const initial = 'x-grpc-test-echo-initial'
const trailing = 'x-grpc-test-echo-trailing-bin'
const metadata = { [initial]: 'test_initial_metadata_value', [trailing]: Buffer.from('ababab', 'hex') }
const lengths = (messages: readonly Buffer[]): number[] => messages.map(({ length }) => length)
const echoed = (head: Metadata, trailer: Metadata): unknown[] => [head.get(initial), trailer.get(trailing).map((value) => Buffer.from(value).toString('hex'))]
/** NoCompress of grpc-js: a flag of one message. */
const plain = 2

const specialMessage = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \u{1F608}\t\n'

/** Of a call that ends with an error. */
async function failure(call: { once(event: 'error', listener: (error: ServiceError) => void): unknown }): Promise<unknown[]> {
  const { code, details } = await new Promise<ServiceError>((resolve) => void call.once('error', resolve))
  return [code, details]
}

async function pingPong(client: EchoClient): Promise<number[]> {
  const call = client.duplex()
  const sizes: number[] = []
  for (const [response, request] of [[31_415, 27_182], [9, 8], [2653, 1828], [58_979, 45_904]] as const) {
    call.write(sized(response, request))
    sizes.push(((await once(call, 'data')) as [Buffer])[0].length)
  }
  call.end()
  return [...sizes, ...lengths(await collectBytes(call))]
}

async function collectBytes(call: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = []
  for await (const message of call) all.push(message)
  return all
}

/** Metadata of a duplex call, before and after its messages. */
async function duplexMetadata(client: EchoClient): Promise<unknown[]> {
  const call = client.duplex(metadata)
  const head = once(call, 'metadata') as Promise<[Metadata]>
  const end = once(call, 'status') as Promise<[{ metadata: Metadata }]>
  call.end(sized(314_159, 271_828))
  const received = lengths(await collectBytes(call))
  return [...echoed((await head)[0], (await end)[0].metadata), ...received]
}

async function cancelled(call: { cancel(): void; once(event: 'error', listener: (error: ServiceError) => void): unknown }): Promise<unknown> {
  const ended = failure(call)
  call.cancel()
  return (await ended)[0]
}

async function compressed(at: Address, run: (client: EchoClient) => Promise<unknown>): Promise<unknown> {
  using client = new EchoClient(at, undefined, { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip })
  return await run(client)
}

/** Two messages in one call, the second as it is. */
function compressedStreaming(client: EchoClient): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = client.sumCall((error, answer) => (error === null ? resolve(String(answer)) : reject(error)))
    call.write(Buffer.alloc(27_182))
    call.write(Buffer.alloc(45_904), String(plain))
    call.end()
  })
}

const wanted = (message: string) => ({ 'x-fail': '2', 'x-message-bin': Buffer.from(message) })
const failed = (call: Promise<unknown>): Promise<unknown> => call.then(() => 'no failure', (error: ServiceError) => [error.code, error.details])

interface InteropCase {
  readonly run: (client: EchoClient, at: Address) => Promise<unknown>
  readonly expected: unknown
}

export const interopCases: Readonly<Record<string, InteropCase>> = {
  empty_unary: { run: async (client) => (await client.say('')).message.length, expected: 0 },
  large_unary: { run: async (client) => (await client.say(sized(314_159, 271_828), {}, 10_000, 'Sized')).message.length, expected: 314_159 },
  client_compressed_unary: { run: (client, at) => compressed(at, async (own) => [(await own.say(sized(314_159, 271_828), {}, 10_000, 'Sized')).message.length, (await client.say(sized(314_159, 271_828), {}, 10_000, 'Sized')).message.length]), expected: [314_159, 314_159] },
  client_streaming: { run: (client) => client.sum([27_182, 8, 1828, 45_904].map((size) => Buffer.alloc(size))), expected: '74922' },
  client_compressed_streaming: { run: (_client, at) => compressed(at, compressedStreaming), expected: '73086' },
  server_streaming: { run: async (client) => lengths(await client.sizes([31_415, 9, 2653, 58_979])), expected: [31_415, 9, 2653, 58_979] },
  ping_pong: { run: pingPong, expected: [31_415, 9, 2653, 58_979] },
  empty_stream: { run: async (client) => { const call = client.duplex(); call.end(); return await collect(call) }, expected: [] },
  custom_metadata: {
    run: async (client) => {
      const { head, trailer, message } = await client.say(sized(314_159, 271_828), metadata, 10_000, 'Sized')
      return [[...echoed(head, trailer), message.length], await duplexMetadata(client)]
    },
    expected: Array.from({ length: 2 }, () => [['test_initial_metadata_value'], ['ababab'], 314_159]),
  },
  status_code_and_message: {
    run: async (client) => {
      const call = client.duplex(wanted('test status message'))
      call.end(sized(1, 1))
      call.resume()
      return [await failed(client.say('', wanted('test status message'))), await failure(call)]
    },
    expected: Array.from({ length: 2 }, () => [status.UNKNOWN, 'test status message']),
  },
  special_status_message: { run: (client) => failed(client.say('', wanted(specialMessage))), expected: [status.UNKNOWN, specialMessage] },
  unimplemented_method: { run: (client) => client.say('', {}, 10_000, 'UnimplementedCall').catch(codeOf), expected: status.UNIMPLEMENTED },
  unimplemented_service: { run: (client) => client.say('', {}, 10_000, 'UnimplementedCall', 'test.UnimplementedService').catch(codeOf), expected: status.UNIMPLEMENTED },
  cancel_after_begin: { run: (client) => new Promise((resolve) => client.sumCall((error) => resolve(codeOf(error))).cancel()), expected: status.CANCELLED },
  cancel_after_first_response: {
    run: async (client) => {
      const call = client.duplex()
      call.write(sized(31_415, 27_182))
      await once(call, 'data')
      return await cancelled(call)
    },
    expected: status.CANCELLED,
  },
  timeout_on_sleeping_server: {
    run: async (client) => {
      const call = client.duplex({}, 1)
      call.write(sized(0, 27_182))
      call.resume()
      return (await failure(call))[0]
    },
    expected: status.DEADLINE_EXCEEDED,
  },
  concurrent_large_unary: { run: async (client) => [...new Set(await Promise.all(Array.from({ length: 50 }, async () => (await client.say(sized(314_159, 271_828), {}, 30_000, 'Sized')).message.length)))], expected: [314_159] },
}

/** The others of the list, and why they are not here. */
export const interopLeftOut: Readonly<Record<string, string>> = {
  cacheable_unary: 'needs a proxy that caches; ours does not',
  server_compressed_unary: 'a server of grpc-js does not compress',
  server_compressed_streaming: 'a server of grpc-js does not compress',
  compute_engine_creds: "needs Google's cloud",
  jwt_token_creds: "needs Google's cloud",
  oauth2_auth_token: "needs Google's cloud",
  per_rpc_creds: "needs Google's cloud",
}
