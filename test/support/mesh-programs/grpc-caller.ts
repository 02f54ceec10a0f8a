// A program in a mesh that calls the gRPC service `grpc-echo` through its own sidecar when it is asked to, every kind of
// call, and answers with what came of each, as JSON.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { EchoClient, collect } from '../grpc-echo.ts'

const host = process.env['GRPC_ECHO_SERVICE_HOST'] ?? ''
const client = new EchoClient({ host, port: Number(process.env['GRPC_ECHO_SERVICE_PORT']) })
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : String(error))

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  unary: async () => {
    const { message, head, trailer } = await client.say('hello', { 'x-echo': 'there and back' })
    return [String(message), head.get('x-echoed'), trailer.get('x-trailer')]
  },
  large: async () => (await client.say(Buffer.alloc(1_000_000, 'x'))).message.length,
  larger: async () => (await client.say(Buffer.alloc(4_000_000, 'x'))).message.length,
  clientStream: () => client.sum(Array.from({ length: 100 }, () => Buffer.alloc(10_000))),
  serverStream: async () => (await client.count(500)).length,
  both: async () => {
    const chat = client.chat()
    const heard: string[] = []
    for (let i = 0; i < 10; i++) {
      chat.write(Buffer.from(`${i}`))
      heard.push(String((await once(chat, 'data'))[0]))
    }
    chat.end()
    return [...heard, ...(await collect(chat))]
  },
  // The rest are the other cases of gRPC's own interop suite.
  emptyUnary: async () => (await client.say('')).message.length,
  emptyStream: async () => {
    const chat = client.chat()
    chat.end()
    return await collect(chat)
  },
  emptyServerStream: async () => await client.count(0),
  binaryMetadata: async () => {
    const { head } = await client.say('x', { 'x-echo-bin': Buffer.from([0xab, 0xab, 0xab, 0, 255]) })
    return head.get('x-echoed-bin').map((value) => Buffer.from(value).toString('hex'))
  },
  specialMessage: () => client.say('x', { 'x-fail': '2' }).catch((error: unknown) => (error instanceof Error && 'details' in error ? error.details : String(error))),
  cancelledAtOnce: async () => {
    const chat = client.chat()
    const ended = once(chat, 'error')
    chat.cancel()
    return codeOf((await ended)[0])
  },
  cancelledAfterAnAnswer: async () => {
    const chat = client.chat()
    chat.write(Buffer.from('one'))
    await once(chat, 'data')
    const ended = once(chat, 'error')
    chat.cancel()
    return codeOf((await ended)[0])
  },
  failure: () => client.say('x', { 'x-fail': '9' }).catch(codeOf),
  deadline: () => client.say('x', {}, 300, 'Never').catch(codeOf),
  unknown: () => client.say('x', {}, 5000, 'Nothing').catch(codeOf),
}

const server = createServer((_request, response) => {
  const all = Object.entries(calls).map(async ([name, call]): Promise<[string, unknown]> => [name, await call().catch((error: unknown) => String(error))])
  void Promise.all(all).then((results) => response.end(JSON.stringify(Object.fromEntries(results))))
}).listen(Number(process.env['PORT']), '127.0.0.1')
process.once('SIGTERM', () => server.close(() => process.exit(0)))
