// Writes one message to an HTTP/2 stream in pieces of 64 KB, each when the one before is with the kernel. Node's TLS keeps
// its output buffers at their high-water mark for ever: whole messages of megabytes would cost that much per proxy.
import type { Http2Stream } from 'node:http2'

export const chunkBytes = 64 * 1024

/** Resolves when all is written, or when the stream has ended before that. */
export async function writeParts(stream: Http2Stream, parts: readonly Uint8Array[]): Promise<void> {
  for (const chunk of chunksOf(parts)) {
    if (!stream.writable || stream.destroyed) return
    await writeChunk(stream, chunk)
  }
}

/**
 * Small parts are gathered, since every write is a frame and a TLS record; large ones are cut and never copied. A chunk is
 * good until the next one is asked for: they are gathered in the same buffer.
 */
export function* chunksOf(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  const gathered = Buffer.allocUnsafe(Math.min(chunkBytes, parts.reduce((sum, part) => sum + part.length, 0)))
  let size = 0
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + chunkBytes - size)
      at += piece.length
      if (piece.length === chunkBytes) {
        yield piece
        continue
      }
      gathered.set(piece, size)
      size += piece.length
      if (size < chunkBytes) continue
      yield gathered
      size = 0
    }
  }
  if (size > 0) yield gathered.subarray(0, size)
}

/** The callback is not called for a stream that is destroyed while the client's window is closed, so its end counts too. */
function writeChunk(stream: Http2Stream, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('close', done)
      resolve()
    }
    stream.once('close', done)
    stream.write(chunk, done)
  })
}
