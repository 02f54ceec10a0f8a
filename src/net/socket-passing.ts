// Passes listening sockets between two processes of one user over a UNIX socket. Node can do that between parent and child
// only; a pipe that may carry handles is the same thing underneath, and is reached as the raw stream handles are (decision
// 0006). One line at a time, each answered before the next: so a line and its socket stay together.
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { netError } from './errors.ts'
import { descriptorOf } from './socket-options.ts'

/** One end of a connection. `socket` goes beside the line. */
export interface PassingEnd {
  onLine: (line: string, socket: object | undefined) => void
  onEnd: () => void
  /** False: it cannot be sent. */
  send(line: string, socket?: object): boolean
  /** Of the end that has connected. */
  close(): void
}

interface PipeHandle {
  pendingHandle: object | null
  onread: (bytes: ArrayBuffer | undefined) => void
  open(fd: number): number
  connect(request: object, path: string): number
  readStart(): number
  writeUtf8String(request: object, text: string, handle?: object): number
  unref(): void
  close(): void
}

interface SocketHandle {
  open(fd: number): number
  close(): void
}

interface Bindings {
  readonly Pipe: new (type: number) => PipeHandle
  readonly PipeConnectWrap: new () => { oncomplete: (status: number) => void }
  readonly ipc: number
  readonly TCP: new (type: number) => SocketHandle
  readonly tcpServer: number
  readonly WriteWrap: new () => { oncomplete: (status: number) => void }
  readonly state: Int32Array
  readonly kReadBytesOrError: number
}

/** Undefined where this node does not give them out: then no proxy can be taken over. */
function loadBindings(): Bindings | undefined {
  try {
    const load: unknown = Reflect.get(process, 'binding')
    if (typeof load !== 'function') return undefined
    const get = (name: string): Record<string, unknown> => Reflect.apply(load, process, [name]) as Record<string, unknown>
    const [pipe, tcp, stream] = [get('pipe_wrap'), get('tcp_wrap'), get('stream_wrap')]
    const bindings = {
      Pipe: pipe['Pipe'], PipeConnectWrap: pipe['PipeConnectWrap'], ipc: constant(pipe, 'IPC'), TCP: tcp['TCP'], tcpServer: constant(tcp, 'SERVER'),
      WriteWrap: stream['WriteWrap'], state: stream['streamBaseState'], kReadBytesOrError: stream['kReadBytesOrError'],
    }
    return isComplete(bindings) ? bindings : undefined
  } catch {
    return undefined // with --permission it throws
  }
}

const constant = (binding: Record<string, unknown>, name: string): unknown => {
  const { constants } = binding
  return typeof constants === 'object' && constants !== null ? Reflect.get(constants, name) : undefined
}

function isComplete(all: Record<keyof Bindings, unknown>): all is Record<keyof Bindings, unknown> & Bindings {
  const classes = [all.Pipe, all.PipeConnectWrap, all.TCP, all.WriteWrap]
  return classes.every((one) => typeof one === 'function') && [all.ipc, all.tcpServer, all.kReadBytesOrError].every((one) => typeof one === 'number') && all.state instanceof Int32Array
}

function bindingsOrThrow(): Bindings {
  const bindings = loadBindings()
  if (bindings === undefined) throw netError('net/failed', 'this node cannot pass sockets between processes')
  return bindings
}

/** Longest line: an address. A peer that sends more is none of ours. */
const maxLineBytes = 4096

class PipeEnd implements PassingEnd {
  onLine: PassingEnd['onLine'] = () => {}
  onEnd = (): void => {}
  readonly #pipe: PipeHandle
  readonly #bindings: Bindings
  #text = ''
  #socket: object | undefined

  constructor(pipe: PipeHandle, bindings: Bindings) {
    this.#pipe = pipe
    this.#bindings = bindings
    pipe.pendingHandle = null
    pipe.onread = (bytes) => this.#read(bytes)
    pipe.readStart()
  }

  send(line: string, socket?: object): boolean {
    const request = new this.#bindings.WriteWrap()
    request.oncomplete = () => {}
    const failed = socket === undefined ? this.#pipe.writeUtf8String(request, `${line}\n`) : this.#pipe.writeUtf8String(request, `${line}\n`, socket)
    return failed === 0
  }

  close(): void {
    this.#pipe.close()
  }

  #read(bytes: ArrayBuffer | undefined): void {
    this.#socket ??= this.#pipe.pendingHandle ?? undefined
    this.#pipe.pendingHandle = null
    if (bytes === undefined || this.#bindings.state[this.#bindings.kReadBytesOrError]! <= 0) return this.onEnd()
    this.#text += Buffer.from(bytes).toString()
    const end = this.#text.indexOf('\n')
    if (end < 0) return this.#text.length > maxLineBytes ? this.onEnd() : undefined
    const line = this.#text.slice(0, end)
    const socket = this.#socket
    this.#text = this.#text.slice(end + 1)
    this.#socket = undefined
    this.onLine(line, socket)
  }
}

/** Rejects with `net/refused` when nobody is there. */
export function connectPassing(path: string): Promise<PassingEnd> {
  const bindings = bindingsOrThrow()
  const pipe = new bindings.Pipe(bindings.ipc)
  const request = new bindings.PipeConnectWrap()
  return new Promise((resolve, reject) => {
    const failed = (): void => {
      pipe.close()
      reject(netError('net/refused', `nobody answers on ${path}`))
    }
    request.oncomplete = (status) => (status === 0 ? resolve(new PipeEnd(pipe, bindings)) : failed())
    const status = pipe.connect(request, path)
    if (status !== 0) failed()
  })
}

export interface PassingServer {
  close(): void
}

/** Connections at a time, and in the life of a process: one is enough, and each keeps its descriptor. */
const maxConnections = 16

/** Listens on a path that is free. `onEnd` tells that a peer has gone. */
export async function listenPassing(path: string, onConnection: (end: PassingEnd) => void): Promise<PassingServer> {
  const bindings = bindingsOrThrow()
  /** Two handles share each descriptor: neither is ever closed but by the end of the process, lest a number be closed twice. */
  const kept: Socket[] = []
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    const fd = descriptorOf(socket)
    if (fd === undefined || kept.length >= maxConnections) return socket.destroy()
    kept.push(socket)
    socket.unref()
    const pipe = new bindings.Pipe(bindings.ipc)
    pipe.open(fd)
    pipe.unref()
    onConnection(new PipeEnd(pipe, bindings))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(netError('net/failed', `cannot listen on ${path}`, cause)))
    server.listen(path, resolve)
  })
  server.unref()
  return { close: () => void server.close() }
}

/** A socket that listens, of this thread (`handle`) or another one (`fd`). */
export type SocketPlace = { readonly fd: number } | { readonly handle: object }

/** To be passed on. For another thread's it borrows the descriptor: whoever has the socket closes it. */
export function passable(on: SocketPlace): object {
  return 'handle' in on ? on.handle : handleFor(on.fd)
}

/** What another thread can go on with. Undefined when it is closed. */
export function descriptorAt(on: SocketPlace): number | undefined {
  const fd: unknown = 'fd' in on ? on.fd : Reflect.get(on.handle, 'fd')
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}

/** Lets a socket go that nothing has listened on here. */
export function closeSocket(on: SocketPlace): void {
  const handle: unknown = passable(on)
  ;(handle as SocketHandle).close()
}

function handleFor(fd: number): SocketHandle {
  const { TCP, tcpServer } = bindingsOrThrow()
  const handle = new TCP(tcpServer)
  handle.open(fd)
  return handle
}
