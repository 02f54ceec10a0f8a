// A gRPC service on @grpc/grpc-js that shows what went wrong between it and a client of the same make, whatever is between
// them: all four kinds of calls, metadata both ways, errors, deadlines, cancellation. Messages are bytes.
import { Client, Metadata, Server, ServerCredentials, credentials, status } from '@grpc/grpc-js'
import type { ChannelCredentials, ClientDuplexStream, ClientReadableStream, ClientUnaryCall, ClientWritableStream, ServerDuplexStream, ServerReadableStream, ServerUnaryCall, ServerWritableStream, ServiceError, sendUnaryData } from '@grpc/grpc-js'
import type { Address } from '../../src/model/address.ts'

const same = (bytes: Buffer): Buffer => bytes
const method = (name: string, requestStream: boolean, responseStream: boolean) =>
  ({ path: `/test.Echo/${name}`, requestStream, responseStream, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same })

/** Enough for 4 MB messages with what surrounds them. */
const options = { 'grpc.max_receive_message_length': 16 * 1024 * 1024, 'grpc.max_send_message_length': 16 * 1024 * 1024 }

export class GrpcEcho implements AsyncDisposable {
  readonly port: number
  /** Calls that were cancelled under the server's hands. */
  cancelled = 0
  /** Unary calls that came, by the server's count. */
  calls = 0
  /** Unary calls answer with these first, one for each. */
  readonly failures: number[] = []
  readonly #server: Server

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static async start(port = 0, host = '127.0.0.1'): Promise<GrpcEcho> {
    const server = new Server(options)
    let echo: GrpcEcho | undefined
    server.addService(
      {
        say: method('Say', false, false), sum: method('Sum', true, false), count: method('Count', false, true), chat: method('Chat', true, true), never: method('Never', false, false),
        sized: method('Sized', false, false), sizes: method('Sizes', false, true), duplex: method('Duplex', true, true),
      },
      {
        say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => echo!.#say(call, done),
        sum: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          let bytes = 0
          call.on('data', (message: Buffer) => (bytes += message.length))
          call.on('end', () => done(null, Buffer.from(String(bytes))))
        },
        count: (call: ServerWritableStream<Buffer, Buffer>) => {
          for (let i = 0; i < Number(call.request); i++) call.write(Buffer.from(String(i)))
          call.end()
        },
        chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
          call.on('data', (message: Buffer) => call.write(message))
          call.on('end', () => call.end())
          call.on('cancelled', () => echo!.cancelled++)
        },
        never: (call: ServerUnaryCall<Buffer, Buffer>) => void call.on('cancelled', () => echo!.cancelled++),
        sized: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          call.sendMetadata(echoOf(call.metadata).head)
          done(null, answerTo(call.request), echoOf(call.metadata).trailer)
        },
        sizes: (call: ServerWritableStream<Buffer, Buffer>) => {
          for (let at = 0; at < call.request.length; at += 4) call.write(Buffer.alloc(call.request.readUInt32BE(at)))
          call.end()
        },
        duplex: answerEach,
      },
    )
    const bound = await new Promise<number>((resolve, reject) => server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, at) => (error === null ? resolve(at) : reject(error))))
    echo = new GrpcEcho(server, bound)
    return echo
  }

  get address(): Address {
    return { host: '127.0.0.1', port: this.port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown()
    await Promise.resolve()
  }

  /** Says the message back; `x-fail` makes it an error. */
  #say(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void {
    this.calls++
    const [wanted] = call.metadata.get('x-fail')
    const code = this.failures.shift() ?? (wanted === undefined ? status.OK : Number(wanted))
    const trailer = new Metadata()
    trailer.set('x-trailer', 'at the end')
    const head = new Metadata()
    for (const value of call.metadata.get('x-echo')) head.add('x-echoed', value)
    for (const value of call.metadata.get('x-echo-bin')) head.add('x-echoed-bin', value)
    if (code !== status.OK) return done({ code, details: messageOf(call.metadata) ?? `ask again: 100 % "ö"`, metadata: trailer })
    call.sendMetadata(head)
    done(null, call.request, trailer)
  }
}

/** Metadata that gRPC's interop suite wants back, at the beginning and at the end. */
function echoOf(asked: Metadata): { readonly head: Metadata; readonly trailer: Metadata } {
  const [head, trailer] = [new Metadata(), new Metadata()]
  for (const value of asked.get('x-grpc-test-echo-initial')) head.add('x-grpc-test-echo-initial', value)
  for (const value of asked.get('x-grpc-test-echo-trailing-bin')) trailer.add('x-grpc-test-echo-trailing-bin', value)
  return { head, trailer }
}

const messageOf = (asked: Metadata): string | undefined => asked.get('x-message-bin').map(String)[0]

/** A message of `length` bytes that asks for one of `size`. */
export function sized(size: number, length: number): Buffer {
  const message = Buffer.alloc(Math.max(4, length))
  message.writeUInt32BE(size)
  return message
}

const answerTo = (message: Buffer): Buffer => Buffer.alloc(message.readUInt32BE(0))

/** Each message is answered at once; one that asks for nothing waits for ever. */
function answerEach(call: ServerDuplexStream<Buffer, Buffer>): void {
  const { head, trailer } = echoOf(call.metadata)
  const [wanted] = call.metadata.get('x-fail')
  call.sendMetadata(head)
  call.on('data', (message: Buffer) => {
    if (message.readUInt32BE(0) > 0) call.write(answerTo(message))
  })
  call.on('end', () => {
    if (wanted === undefined) call.end(trailer)
    else call.emit('error', { code: Number(wanted), details: messageOf(call.metadata) ?? '' })
  })
}

export const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : String(error))

export interface Called {
  readonly message: Buffer
  readonly head: Metadata
  readonly trailer: Metadata
}

export class EchoClient implements Disposable {
  readonly client: Client

  constructor({ host, port }: Address, secure: ChannelCredentials = credentials.createInsecure(), more: Readonly<Record<string, string | number>> = {}) {
    this.client = new Client(`${host}:${port}`, secure, { ...options, ...more })
  }

  say(message: Buffer | string, metadata: Readonly<Record<string, string | Buffer>> = {}, deadlineMs = 10_000, path = 'Say', service = 'test.Echo'): Promise<Called> {
    return new Promise((resolve, reject) => {
      let head = new Metadata()
      let received: Buffer = Buffer.alloc(0)
      let failure: ServiceError | null = null
      const call: ClientUnaryCall = this.client.makeUnaryRequest(`/${service}/${path}`, same, same, Buffer.from(message), metadataOf(metadata), { deadline: Date.now() + deadlineMs }, (error, answer) => {
        failure = error
        received = answer ?? received
      })
      call.on('metadata', (got) => (head = got))
      call.on('status', ({ metadata: trailer }) => queueMicrotask(() => (failure === null ? resolve({ message: received, head, trailer }) : reject(failure))))
    })
  }

  sum(messages: readonly Buffer[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = this.sumCall((error, answer) => (error === null ? resolve(String(answer)) : reject(error)))
      for (const message of messages) call.write(message)
      call.end()
    })
  }

  count(n: number): Promise<string[]> {
    const call: ClientReadableStream<Buffer> = this.client.makeServerStreamRequest('/test.Echo/Count', same, same, Buffer.from(String(n)))
    return collect(call)
  }

  sumCall(done: (error: ServiceError | null, answer?: Buffer) => void): ClientWritableStream<Buffer> {
    return this.client.makeClientStreamRequest('/test.Echo/Sum', same, same, done)
  }

  async sizes(wanted: readonly number[]): Promise<Buffer[]> {
    const all: Buffer[] = []
    const call: ClientReadableStream<Buffer> = this.client.makeServerStreamRequest('/test.Echo/Sizes', same, same, Buffer.concat(wanted.map((size) => sized(size, 4))))
    for await (const message of call) all.push(message as Buffer)
    return all
  }

  duplex(metadata: Readonly<Record<string, string | Buffer>> = {}, deadlineMs = 10_000): ClientDuplexStream<Buffer, Buffer> {
    return this.client.makeBidiStreamRequest('/test.Echo/Duplex', same, same, metadataOf(metadata), { deadline: Date.now() + deadlineMs })
  }

  chat(): ClientDuplexStream<Buffer, Buffer> {
    return this.client.makeBidiStreamRequest('/test.Echo/Chat', same, same)
  }

  [Symbol.dispose](): void {
    this.client.close()
  }
}

export async function collect(call: AsyncIterable<Buffer>): Promise<string[]> {
  const all: string[] = []
  for await (const message of call) all.push(String(message))
  return all
}

function metadataOf(values: Readonly<Record<string, string | Buffer>>): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(values)) metadata.set(name, value)
  return metadata
}
