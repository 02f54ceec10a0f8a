// A server session that has answered with a head, and what it sends after it: for tests of windows, frames and ends.
import { HeaderList } from '../../src/codec/header-list.ts'
import { get, headers } from './h2-frames.ts'
import { H2Peer } from './h2-peer.ts'
import type { PeerOptions, PeerStream } from './h2-peer.ts'

export const none = new HeaderList()
export const ask = headers(1, get)

/** It has answered the request on stream 1, and has sent nothing of the body yet. */
export function answered(options: PeerOptions = {}, ...frames: readonly Buffer[]): { peer: H2Peer; stream: PeerStream } {
  const peer = new H2Peer('server', options).send(...frames, ask)
  const stream = peer.streams.get(1)!
  stream.sendResponse(200, none, false)
  peer.frames()
  peer.log.length = 0
  return { peer, stream }
}

export const bytes = (length: number): Buffer => Buffer.alloc(length, 'x')
export const send = (stream: PeerStream, length: number): boolean => stream.sendData(bytes(length), 0, length)
/** Of the DATA that were written since the last look. */
export const sizes = (peer: H2Peer): number[] => peer.frames().filter(({ type }) => type === 0).map(({ payload }) => payload.length)
export const total = (peer: H2Peer): number => sizes(peer).reduce((sum, size) => sum + size, 0)
