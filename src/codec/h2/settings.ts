// SETTINGS (RFC 9113 §6.5): ours, as they are announced, and the peer's, as they are read.
import { connectionError, frameSizeError, protocolError } from './errors.ts'
import { initialWindow, largestMaxFrame, largestWindow, readUint32, setting, smallestMaxFrame } from './frame.ts'
import { errorCode } from './types.ts'
import type { H2Limits } from './types.ts'

const unlimited = 0xffffffff

/** Ours: no window below the initial one, since the peer may use that before it has read them. */
export function localSettings(client: boolean, limits: H2Limits): number[] {
  const common = [
    setting.headerTableSize, limits.headerTableBytes,
    setting.initialWindowSize, Math.max(limits.initialStreamWindow, initialWindow),
    setting.maxFrameSize, maxFrameSizeOf(limits),
    setting.maxHeaderListSize, limits.maxHeaderListBytes,
  ]
  const own = client
    ? [setting.enablePush, 0]
    : [setting.maxConcurrentStreams, limits.maxConcurrentStreams, setting.enableConnectProtocol, 1]
  return [...own, ...common]
}

export const maxFrameSizeOf = (limits: H2Limits): number => Math.min(Math.max(limits.maxFrameSize, smallestMaxFrame), largestMaxFrame)

/** The peer's settings: what it has not said is the RFC's initial value. */
export class PeerSettings {
  headerTableSize = 4096
  /** Of the last frame and before it: our encoder must say that it has gone down to it (RFC 7541 §4.2). */
  smallestTableSize = 4096
  maxConcurrentStreams = unlimited
  initialWindowSize = initialWindow
  maxFrameSize = smallestMaxFrame
  connectProtocol = false
  readonly #fromServer: boolean

  constructor(fromServer: boolean) {
    this.#fromServer = fromServer
  }

  /** A whole frame: what matters of a setting that comes twice is the last value. */
  read(bytes: Uint8Array, at: number, end: number): void {
    if ((end - at) % 6 !== 0) throw frameSizeError('SETTINGS of a length that is no multiple of 6')
    this.smallestTableSize = this.headerTableSize
    for (let i = at; i < end; i += 6) this.#set((bytes[i]! << 8) | bytes[i + 1]!, readUint32(bytes, i + 2))
  }

  #set(id: number, value: number): void {
    switch (id) {
      case setting.headerTableSize:
        this.headerTableSize = value
        this.smallestTableSize = Math.min(this.smallestTableSize, value)
        break
      case setting.enablePush:
        if (value > 1 || (value === 1 && this.#fromServer)) throw protocolError(`SETTINGS_ENABLE_PUSH of ${value}`)
        break
      case setting.maxConcurrentStreams:
        this.maxConcurrentStreams = value
        break
      case setting.initialWindowSize:
        if (value > largestWindow) throw connectionError(errorCode.flowControlError, `SETTINGS_INITIAL_WINDOW_SIZE of ${value}`)
        this.initialWindowSize = value
        break
      case setting.maxFrameSize:
        if (value < smallestMaxFrame || value > largestMaxFrame) throw protocolError(`SETTINGS_MAX_FRAME_SIZE of ${value}`)
        this.maxFrameSize = value
        break
      case setting.enableConnectProtocol:
        if (value > 1 || (value === 0 && this.connectProtocol)) throw protocolError(`SETTINGS_ENABLE_CONNECT_PROTOCOL of ${value}`)
        this.connectProtocol = value === 1
        break
      default: // Unknown ones are ignored (§6.5.2); MAX_HEADER_LIST_SIZE is advice.
    }
  }
}
