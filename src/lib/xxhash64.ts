// xxHash64 (github.com/Cyan4973/xxHash, XXH64) of texts whose characters are bytes, as HTTP's are here. Numbers of 64 bits
// are two halves, because every request of a hashed route and every point of a ring pays for one: BigInt takes ten times
// as long.

/** 64 bits. Both halves are whole numbers from 0 to 2^32 - 1. */
export interface Hash64 {
  readonly high: number
  readonly low: number
}

export const zeroHash: Hash64 = { high: 0, low: 0 }

/** Primes 1 to 5, high half and low half. */
const p1h = 0x9e3779b1, p1l = 0x85ebca87
const p2h = 0xc2b2ae3d, p2l = 0x27d4eb4f
const p3h = 0x165667b1, p3l = 0x9e3779f9
const p4h = 0x85ebca77, p4l = 0xc2b2ae63
const p5h = 0x27d4eb2f, p5l = 0x165667c5

/** A register of 64 bits; halves are signed while it computes, which is what the engine does fastest. */
class Register {
  high = 0
  low = 0

  set(high: number, low: number): this {
    this.high = high | 0
    this.low = low | 0
    return this
  }

  add(high: number, low: number): this {
    const sum = (this.low >>> 0) + (low >>> 0)
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0
    this.low = sum | 0
    return this
  }

  xor(high: number, low: number): this {
    this.high ^= high
    this.low ^= low
    return this
  }

  multiply(high: number, low: number): this {
    const carried = upperHalf(this.low >>> 0, low >>> 0)
    this.high = (carried + Math.imul(this.high, low) + Math.imul(this.low, high)) | 0
    this.low = Math.imul(this.low, low)
    return this
  }

  /** By 1 to 31 bits. */
  rotate(bits: number): this {
    const { high, low } = this
    this.high = (high << bits) | (low >>> (32 - bits))
    this.low = (low << bits) | (high >>> (32 - bits))
    return this
  }

  /** x ^= x >>> bits, for 1 to 63 bits. */
  xorShift(bits: number): this {
    if (bits >= 32) return this.xor(0, bits === 32 ? this.high : this.high >>> (bits - 32))
    return this.xor(this.high >>> bits, (this.low >>> bits) | (this.high << (32 - bits)))
  }

  round(high: number, low: number): this {
    return this.add(Math.imul(low, p2h) + Math.imul(high, p2l) + upperHalf(low >>> 0, p2l >>> 0), Math.imul(low, p2l)).rotate(31).multiply(p1h, p1l)
  }
}

/** The upper 32 bits of a product of two unsigned ones. */
function upperHalf(one: number, other: number): number {
  const oneLow = one & 0xffff, oneHigh = one >>> 16, otherLow = other & 0xffff, otherHigh = other >>> 16
  const middle = oneHigh * otherLow + ((oneLow * otherLow) >>> 16)
  const carry = oneLow * otherHigh + (middle & 0xffff)
  return (oneHigh * otherHigh + (middle >>> 16) + (carry >>> 16)) | 0
}

const acc = new Register()
const lane = new Register()
const lanes = [new Register(), new Register(), new Register(), new Register()] as const

export function xxHash64(text: string, seed: Hash64 = zeroHash): Hash64 {
  const end = text.length
  let at = 0
  if (end >= 32) at = stripes(text, seed)
  else acc.set(seed.high, seed.low).add(p5h, p5l)
  acc.add(0, end)
  for (; at + 8 <= end; at += 8) {
    lane.set(0, 0).round(word(text, at + 4), word(text, at))
    acc.xor(lane.high, lane.low).rotate(27).multiply(p1h, p1l).add(p4h, p4l)
  }
  if (at + 4 <= end) {
    lane.set(0, word(text, at)).multiply(p1h, p1l)
    acc.xor(lane.high, lane.low).rotate(23).multiply(p2h, p2l).add(p3h, p3l)
    at += 4
  }
  for (; at < end; at++) {
    lane.set(0, text.charCodeAt(at) & 0xff).multiply(p5h, p5l)
    acc.xor(lane.high, lane.low).rotate(11).multiply(p1h, p1l)
  }
  acc.xorShift(33).multiply(p2h, p2l).xorShift(29).multiply(p3h, p3l).xorShift(32)
  return { high: acc.high >>> 0, low: acc.low >>> 0 }
}

/** Whole stripes of 32 bytes into `acc`; where they end. */
function stripes(text: string, { high, low }: Hash64): number {
  const [one, two, three, four] = lanes
  one.set(high, low).add(p1h, p1l).add(p2h, p2l)
  two.set(high, low).add(p2h, p2l)
  three.set(high, low)
  four.set(high, low).add(~p1h, ~p1l).add(0, 1)
  let at = 0
  for (; at + 32 <= text.length; at += 32) for (let i = 0; i < 4; i++) lanes[i]!.round(word(text, at + 8 * i + 4), word(text, at + 8 * i))
  acc.set(0, 0)
  for (let i = 0; i < 4; i++) {
    const turned = lane.set(lanes[i]!.high, lanes[i]!.low).rotate(rotations[i]!)
    acc.add(turned.high, turned.low)
  }
  for (const { high: laneHigh, low: laneLow } of lanes) {
    lane.set(0, 0).round(laneHigh, laneLow)
    acc.xor(lane.high, lane.low).multiply(p1h, p1l).add(p4h, p4l)
  }
  return at
}

const rotations = [1, 7, 12, 18]

/** Four bytes, the first one lowest. */
function word(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xff) | ((text.charCodeAt(at + 1) & 0xff) << 8) | ((text.charCodeAt(at + 2) & 0xff) << 16) | (text.charCodeAt(at + 3) << 24)
}

/** The remainder of a division by 1 to 2^24. */
export function remainder({ high, low }: Hash64, by: number): number {
  return ((high % by) * (4_294_967_296 % by) + (low % by)) % by
}
