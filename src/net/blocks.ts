// Blocks of memory that writes are gathered in: taken when there is something to write, given back when it is written.

/**
 * What the kernel sends on as one piece, on a loopback as on Ethernet (45 of its segments; a piece has less than 64 KB): with
 * 64 KB every write left a few bytes over, which went as a packet of their own, and woke their reader.
 */
export const blockBytes = 45 * 1448

/** More than this many idle blocks are left to the garbage collector. As many transports as wait in one turn, twice. */
const maxIdle = 128
const idle: Buffer[] = []

export function takeBlock(): Buffer {
  return idle.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
}

export function giveBlock(block: Buffer): void {
  if (idle.length < maxIdle) idle.push(block)
}
