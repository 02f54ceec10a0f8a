// The door to node's raw stream handles. There is no public way to them; process.binding has given them out, unflagged,
// in every release so far. Whether it does here is found out at start (self-test.ts), never assumed.
import type { Socket } from 'node:net'

/** A libuv stream, TCP or TLS, as far as it is used here. Calls answer 0 or a negative error number. */
export interface StreamHandle {
  onread: (this: StreamHandle) => void
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, list: readonly Uint8Array[], allBuffers: true): number
  /** Of a TCP handle: bytes that the kernel has not taken. */
  readonly writeQueueSize: number
  /** The transport that took the handle over. */
  [ownerKey]?: HandleOwner
}

export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  owner: HandleOwner | undefined
  /** Kept alive while the kernel reads from it. */
  bytes: unknown
}

/** What handles call back. */
export interface HandleOwner {
  onBytes(length: number): void
  onReadError(error: number): void
  onWritten(status: number): void
}

export interface HandleBinding {
  readonly WriteWrap: new () => WriteRequest
  /** Results of the last call, at the indexes below. */
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

export const ownerKey: unique symbol = Symbol('transport')

/** Undefined where node does not give them out. */
export function loadBinding(): HandleBinding | undefined {
  try {
    const load: unknown = Reflect.get(process, 'binding')
    if (typeof load !== 'function') return undefined
    const binding: unknown = Reflect.apply(load, process, ['stream_wrap'])
    return isBinding(binding) ? binding : undefined
  } catch {
    return undefined // with --permission it throws
  }
}

export function handleOf(socket: Socket): StreamHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  return isHandle(handle) ? handle : undefined
}

function isBinding(value: unknown): value is HandleBinding {
  if (typeof value !== 'object' || value === null) return false
  const { WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = value as Partial<HandleBinding>
  return typeof WriteWrap === 'function' && streamBaseState instanceof Int32Array
    && typeof kReadBytesOrError === 'number' && typeof kLastWriteWasAsync === 'number'
}

function isHandle(value: unknown): value is StreamHandle {
  if (typeof value !== 'object' || value === null) return false
  const methods = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'writev']
  return methods.every((name) => typeof Reflect.get(value, name) === 'function')
}
