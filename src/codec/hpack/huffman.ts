// Huffman coding of HPACK strings (RFC 7541 §5.2). Decoding goes by nibbles: the shortest code has five bits, so that a
// nibble completes at most one symbol, and the table of 256 states stays in the processor's first cache.
import { codeLengths, codes, endOfString } from './huffman-code.ts'

const fails = 0x100
const emits = 0x200
const symbolShift = 16

/** Inner nodes of the code's tree, two children each: a node's number, or ~symbol for a leaf. */
function buildTree(): Int16Array {
  const tree = new Int16Array(2 * 256)
  let nodes = 1
  for (let symbol = 0; symbol <= endOfString; symbol++) {
    let node = 0
    for (let bit = codeLengths[symbol]! - 1; bit >= 0; bit--) {
      const at = 2 * node + ((codes[symbol]! >>> bit) & 1)
      if (bit === 0) tree[at] = ~symbol
      else if (tree[at] === 0) tree[at] = nodes++
      node = tree[at]!
    }
  }
  return tree
}

/** state * 16 + nibble -> next state, flags, and the symbol that was completed. */
const steps = new Int32Array(256 * 16)
/** States in which a string may end: at most seven bits, all ones, follow the last symbol. */
const mayEnd = new Uint8Array(256)

function buildSteps(tree: Int16Array): void {
  for (let at = 0; at < steps.length; at++) steps[at] = stepOf(tree, at >>> 4, at & 15)
  for (let node = 0, ones = 0; ones < 8; ones++) {
    mayEnd[node] = 1
    node = tree[2 * node + 1]!
  }
}

function stepOf(tree: Int16Array, state: number, nibble: number): number {
  let node = state
  let done = 0
  for (let bit = 3; bit >= 0; bit--) {
    node = tree[2 * node + ((nibble >>> bit) & 1)]!
    if (node >= 0) continue
    if (~node === endOfString) return fails
    done = emits | (~node << symbolShift)
    node = 0
  }
  return done | node
}

buildSteps(buildTree())

/** The most bytes that `length` coded bytes can become. */
export const decodedBound = (length: number): number => Math.ceil((length * 8) / 5)

/** Decodes `bytes[at, end)` to `out` from `to` on; the end of what was written, or -1: not a valid coding. */
export function decodeHuffman(bytes: Uint8Array, at: number, end: number, out: Uint8Array, to: number): number {
  let state = 0
  let used = to
  for (let i = at; i < end; i++) {
    const byte = bytes[i]!
    const high = steps[(state << 4) | (byte >>> 4)]!
    if ((high & emits) !== 0) out[used++] = high >>> symbolShift
    const low = steps[((high & 0xff) << 4) | (byte & 15)]!
    if ((low & emits) !== 0) out[used++] = low >>> symbolShift
    if (((high | low) & fails) !== 0) return -1
    state = low & 0xff
  }
  return mayEnd[state] === 1 ? used : -1
}

/** Bytes that `text` takes when coded; -1: it is not latin1. */
export function huffmanLength(text: string): number {
  let bits = 0
  let all = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    all |= code
    bits += codeLengths[code & 0xff]!
  }
  return all > 0xff ? -1 : (bits + 7) >>> 3
}

/** Writes `text` coded; the end of what was written. `out` must have room for `huffmanLength` bytes. */
export function encodeHuffman(text: string, out: Uint8Array, at: number): number {
  let to = at
  let pending = 0
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff
    let length = codeLengths[symbol]!
    let code = codes[symbol]!
    // With up to seven bits that wait, the longest codes do not fit in 32: their upper part goes first.
    if (length > 24) {
      length -= 16
      pending = (pending << length) | (code >>> 16)
      for (count += length; count >= 8; ) out[to++] = pending >>> (count -= 8)
      code &= 0xffff
      length = 16
    }
    pending = (pending << length) | code
    for (count += length; count >= 8; ) out[to++] = pending >>> (count -= 8)
  }
  if (count > 0) out[to++] = (pending << (8 - count)) | (0xff >>> count)
  return to
}
