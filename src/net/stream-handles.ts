// The door to node's raw stream handles. There is no public way to them; process.binding has given them out, unflagged,
// in every release so far. Whether it does here is found out at start (self-test.ts), never assumed.
import { Socket } from 'node:net'
import type { Server } from 'node:net'

/** A libuv stream, TCP or TLS, as far as it is used here. Calls answer 0 or a negative error number. */
export interface StreamHandle {
  onread: (this: StreamHandle) => void
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, list: readonly Uint8Array[], allBuffers: true): number
  shutdown(request: ShutdownRequest): number
  /** Of a TCP handle: bytes that the kernel has not taken. */
  readonly writeQueueSize: number
  /** The transport that took the handle over. */
  [ownerKey]?: HandleOwner
}

/** Of a TCP connection, which no node socket stands around. */
export interface TcpHandle extends StreamHandle {
  /** -1 once it is closed. */
  readonly fd: number
  getpeername(into: SocketName): number
  getsockname(into: SocketName): number
  setNoDelay(on: boolean): number
  /** Seconds of silence before the first question. */
  setKeepAlive(on: boolean, afterS: number): number
  bind(host: string, port: number): number
  bind6(host: string, port: number, flags: number): number
  connect(request: ConnectRequest, host: string, port: number): number
  connect6(request: ConnectRequest, host: string, port: number): number
  close(closed: (this: TcpHandle) => void): void
  /** By RST. */
  reset(closed: (this: TcpHandle) => void): number
  /** Who accepted it. */
  [acceptedKey]?: { onHandleClosed(): void }
}

/** Of a server that listens: what it calls for each connection, on itself. */
export interface ListeningHandle {
  onconnection: (this: ListeningHandle, error: number, handle: unknown) => void
  setNoDelay(on: boolean): number
}

/** One end of a connection, as node writes it down. */
export interface SocketName {
  address: string
  family: string
  port: number
}

export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  owner: HandleOwner | undefined
  /** Kept alive while the kernel reads from it. */
  bytes: unknown
}

export interface ConnectRequest {
  oncomplete: (this: ConnectRequest, status: number) => void
  attempt: { onConnected(status: number): void }
}

export interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest, status: number) => void
  handle: StreamHandle
}

/** What handles call back, and the sockets around them. */
export interface HandleOwner {
  onBytes(length: number): void
  onReadError(error: number): void
  onWritten(status: number): void
  /** FIN is out. */
  onFinished(): void
  /** It broke; `onClosed` follows. */
  onFailed(error: Error): void
  onClosed(): void
}

export interface HandleBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => ShutdownRequest
  /** Results of the last call, at the indexes below. */
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

/** What connections are made with. */
export interface DialBinding {
  readonly TCP: new (kind: number) => TcpHandle
  readonly TCPConnectWrap: new () => ConnectRequest
  readonly constants: { readonly SOCKET: number }
}

export const ownerKey: unique symbol = Symbol('transport')
export const acceptedKey: unique symbol = Symbol('accepted')

/** Undefined where node does not give them out. */
export function loadBinding(): HandleBinding | undefined {
  const binding = load('stream_wrap')
  return isBinding(binding) ? binding : undefined
}

/** The same. */
export function loadDialBinding(): DialBinding | undefined {
  const binding = load('tcp_wrap')
  return isDialBinding(binding) ? binding : undefined
}

function load(name: string): unknown {
  try {
    const give: unknown = Reflect.get(process, 'binding')
    return typeof give === 'function' ? Reflect.apply(give, process, [name]) : undefined
  } catch {
    return undefined // with --permission it throws
  }
}

export function handleOf(socket: Socket): StreamHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  return hasMethods<StreamHandle>(handle, streamMethods) ? handle : undefined
}

/** Undefined where what listens is no TCP socket, or not what it should be. */
export function listeningHandleOf(server: Server): ListeningHandle | undefined {
  const handle: unknown = Reflect.get(server, '_handle')
  return hasMethods<ListeningHandle>(handle, ['onconnection', 'setNoDelay', 'getsockname']) ? handle : undefined
}

export const isTcpHandle = (handle: unknown): handle is TcpHandle => hasMethods<TcpHandle>(handle, tcpMethods)

/** A node socket around a handle that nobody has read from: paused, and half open where its peer is. */
export function socketAround(handle: TcpHandle): Socket {
  const made: unknown = Reflect.construct(Socket, [{ handle, allowHalfOpen: true, pauseOnCreate: true, readable: true, writable: true }])
  return made as Socket
}

function isBinding(value: unknown): value is HandleBinding {
  if (typeof value !== 'object' || value === null) return false
  const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = value as Partial<HandleBinding>
  return typeof WriteWrap === 'function' && typeof ShutdownWrap === 'function' && streamBaseState instanceof Int32Array
    && typeof kReadBytesOrError === 'number' && typeof kLastWriteWasAsync === 'number'
}

function isDialBinding(value: unknown): value is DialBinding {
  if (typeof value !== 'object' || value === null) return false
  const { TCP, TCPConnectWrap, constants } = value as Partial<DialBinding>
  if (typeof TCP !== 'function' || typeof TCPConnectWrap !== 'function' || typeof constants?.SOCKET !== 'number') return false
  return hasMethods(TCP.prototype, [...tcpMethods, ...dialMethods])
}

const streamMethods = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'writev', 'shutdown']
const tcpMethods = [...streamMethods, 'getpeername', 'getsockname', 'setNoDelay', 'close', 'reset']

const dialMethods = ['bind', 'bind6', 'connect', 'connect6', 'setKeepAlive']

function hasMethods<Handle>(value: unknown, names: readonly string[]): value is Handle {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof Reflect.get(value, name) === 'function')
}
