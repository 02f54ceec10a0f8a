// Blocks of memory that writes are gathered in: taken when there is something to write, given back when it is written.

export const blockBytes = 64 * 1024

/** More than this many idle blocks are left to the garbage collector. As many transports as wait in one turn, twice. */
const maxIdle = 128
const idle: Buffer[] = []

export function takeBlock(): Buffer {
  return idle.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
}

export function giveBlock(block: Buffer): void {
  if (idle.length < maxIdle) idle.push(block)
}
