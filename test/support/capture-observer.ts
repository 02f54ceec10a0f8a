// A program of the capture tests, in a network namespace and as a user of its own: listens where it is told, tells whoever
// connects which socket it met, from where and meaning whom, and connects itself when asked by a line on standard input.
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { OriginalDestinations } from '../../src/net/original-destination.ts'
import { makeSocket, markOwnSockets, ownDatagramSocket, ownMark } from '../../src/net/own-mark.ts'
import { descriptorOf, linuxOptions, socketOptions } from '../../src/net/socket-options.ts'

export interface ObserverOptions {
  /** What it calls itself to whoever meets it. */
  readonly name: string
  /** On all addresses of both families. */
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  /** Addresses for `udp`: an answer comes from the one that was asked. */
  readonly udpHosts: readonly string[]
  /** Its TCP sockets take connections to any address. */
  readonly transparent?: boolean
  /** What it connects has this mark. */
  readonly mark?: number
}

export interface Seen {
  /** `proxy:15001`. */
  readonly by: string
  readonly from: string
  /** Where the connection was going, as far as the kernel knows. */
  readonly to: string
}

export interface Call {
  readonly id: number
  readonly protocol: 'tcp' | 'udp'
  readonly host: string
  readonly port: number
  readonly source?: string
  readonly timeoutMs: number
}

const plain = (host = ''): string => (host.startsWith('::ffff:') ? host.slice(7) : host)
const at = (host: string | undefined, port: number | undefined): string => (plain(host).includes(':') ? `[${plain(host)}]:${port}` : `${plain(host)}:${port}`)

async function main({ name, tcp, udp, udpHosts, transparent, mark }: ObserverOptions): Promise<void> {
  if (mark !== undefined) markOwnSockets(mark)
  const options = socketOptions().options!
  const destinations = new OriginalDestinations(options)
  const meet = (port: number, socket: Socket): void => {
    const original = socket.localPort === port ? destinations.of(descriptorOf(socket)!, !plain(socket.remoteAddress).includes('.')) : undefined
    const seen: Seen = { by: `${name}:${port}`, from: plain(socket.remoteAddress), to: original === undefined ? at(socket.localAddress, socket.localPort) : at(original.host, original.port) }
    socket.on('error', () => {}).end(JSON.stringify(seen))
  }
  await Promise.all([
    ...tcp.map((port) => new Promise<Server>((resolve, reject) => {
      const server = createServer((socket) => meet(port, socket)).on('error', reject)
      server.listen(port, '::', () => {
        if (transparent === true) for (const option of [linuxOptions.transparent, linuxOptions.transparentV6]) options.set(descriptorOf(server)!, option, 1)
        resolve(server)
      })
    })),
    ...udp.flatMap((port) => udpHosts.map((host) => new Promise<void>((resolve, reject) => {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4', (_bytes, from) => socket.send(JSON.stringify({ by: `${name}:${port}/udp`, from: plain(from.address), to: '' } satisfies Seen), from.port, from.address)).on('error', reject)
      socket.bind(port, host, () => resolve())
    }))),
  ])
  say({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line) as Call)
  process.exit(0)
}

async function answer(call: Call): Promise<void> {
  const seen = await (call.protocol === 'tcp' ? overTcp(call) : overUdp(call)).catch((error: unknown) => String(error instanceof Error && 'code' in error ? error.code : error))
  say({ id: call.id, seen })
}

const say = (value: object): boolean => process.stdout.write(`${JSON.stringify(value)}\n`)

function overTcp({ host, port, source, timeoutMs }: Call): Promise<Seen | string> {
  return new Promise((resolve) => {
    let text = ''
    const to = { host, port, ...(source !== undefined && { localAddress: source }) }
    const socket = ownMark() === 0 ? connect(to) : makeSocket(host, { mark: ownMark(), foreignSource: false }).connect(to)
    const timer = setTimeout(() => finish('silence'), timeoutMs)
    const finish = (seen: Seen | string): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(seen)
    }
    socket.on('data', (bytes) => (text += bytes.toString()))
    socket.on('end', () => finish(text === '' ? 'closed' : JSON.parse(text) as Seen))
    socket.on('error', (error) => finish('code' in error ? String(error.code) : error.message))
  })
}

/** Connected: an answer from elsewhere than it was asked is none. */
function overUdp({ host, port, source, timeoutMs }: Call): Promise<Seen | string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const timer = setTimeout(() => finish('silence'), timeoutMs)
    const finish = (seen: Seen | string): void => {
      clearTimeout(timer)
      socket.close()
      resolve(seen)
    }
    socket.on('message', (bytes) => finish(JSON.parse(bytes.toString()) as Seen))
    socket.on('error', (error) => finish('code' in error ? String(error.code) : error.message))
    const fd = ownDatagramSocket(host.includes(':'))
    socket.bind(fd === undefined ? { port: 0, ...(source !== undefined && { address: source }) } : { fd }, () => socket.connect(port, host, () => socket.send('?')))
  })
}

await main(JSON.parse(process.argv[2]!) as ObserverOptions)
