// What all raw handles share: node's binding, one read buffer, spare write requests, and the way from a handle's callbacks
// to whoever owns it.
import { ownerKey } from './stream-handles.ts'
import type { HandleBinding, HandleOwner, ShutdownRequest, StreamHandle, WriteRequest } from './stream-handles.ts'
import { enterTurn, leaveTurn } from './turn.ts'

/** One for all connections of a thread, so that it may be large: a quarter of the system calls that 64 KB take, and fewer wake-ups of who sends. */
const readBufferBytes = 256 * 1024

/** As many requests that were completed at once are kept for the next writes. */
const maxSpare = 16

export class HandleIo {
  readonly buffer = Buffer.allocUnsafeSlow(readBufferBytes)
  readonly #onread: (this: StreamHandle) => void
  readonly #state: Int32Array
  readonly #asyncAt: number
  readonly #WriteWrap: new () => WriteRequest
  readonly #ShutdownWrap: new () => ShutdownRequest
  readonly #spare: WriteRequest[] = []

  constructor({ WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync }: HandleBinding) {
    this.#WriteWrap = WriteWrap
    this.#ShutdownWrap = ShutdownWrap
    this.#state = streamBaseState
    this.#asyncAt = kLastWriteWasAsync
    this.#onread = function onread() {
      const owner = this[ownerKey]
      if (owner === undefined) return
      const length = streamBaseState[kReadBytesOrError]!
      enterTurn()
      try {
        if (length > 0) owner.onBytes(length)
        else if (length < 0) owner.onReadError(length)
      } finally {
        leaveTurn()
      }
    }
  }

  /** What is read of it goes through `buffer` to `owner` from now on. Once: node keeps each buffer that it was given. */
  own(handle: StreamHandle, owner: HandleOwner): void {
    handle[ownerKey] = owner
    handle.onread = this.#onread
    handle.useUserBuffer(this.buffer)
  }

  /** Whether the write that was just made goes on in the background. */
  get wroteAsync(): boolean {
    return this.#state[this.#asyncAt] !== 0
  }

  takeRequest(owner: HandleOwner): WriteRequest {
    const request = this.#spare.pop() ?? this.#newRequest()
    request.owner = owner
    return request
  }

  /** Only requests that were completed at once: the others belong to node until they are collected. */
  giveRequest(request: WriteRequest): void {
    request.owner = undefined
    request.bytes = undefined
    if (this.#spare.length < maxSpare) this.#spare.push(request)
  }

  /** FIN after all that was written. `onFinished` is called later, whatever comes of it: who has gone needs no FIN. */
  shutDown(handle: StreamHandle): void {
    const request = new this.#ShutdownWrap()
    request.handle = handle
    request.oncomplete = onShutDown
    if (handle.shutdown(request) !== 0) process.nextTick(onShutDown.bind(request))
  }

  #newRequest(): WriteRequest {
    const request = new this.#WriteWrap()
    request.bytes = undefined
    request.oncomplete = onWritten
    return request
  }
}

function onWritten(this: WriteRequest, status: number): void {
  const owner = this.owner
  this.owner = undefined
  this.bytes = undefined
  if (owner === undefined) return
  enterTurn()
  try {
    owner.onWritten(status)
  } finally {
    leaveTurn()
  }
}

function onShutDown(this: ShutdownRequest): void {
  this.handle[ownerKey]?.onFinished()
}
