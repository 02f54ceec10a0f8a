// What a network namespace sends over its wire, as the wire has it: what the first bytes of each TCP connection are that are seen, over both families.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Not over loopback. A line for the first bytes of each connection: where they go, and what they are. */
const sniffer = `
import socket, struct, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) # all protocols: others are not told of what leaves
seen = set()
print('listens', flush=True)
while True:
    packet, (device, protocol, kind, *_) = wire.recvfrom(65535)
    v6 = protocol == 0x86dd
    if not v6 and protocol != 0x0800 or kind != socket.PACKET_OUTGOING or device == 'lo' or packet[6 if v6 else 9] != 6: continue
    at = 40 if v6 else (packet[0] & 15) * 4
    end = 40 + struct.unpack('>H', packet[4:6])[0] if v6 else struct.unpack('>H', packet[2:4])[0]
    source, port = struct.unpack('>HH', packet[at:at + 4])
    data = packet[at + (packet[at + 12] >> 4) * 4:end]
    host = '[' + socket.inet_ntop(socket.AF_INET6, packet[24:40]) + ']' if v6 else socket.inet_ntoa(packet[16:20])
    to = host + ':' + str(port)
    if not data or (to, source) in seen: continue
    seen.add((to, source))
    print(to, data[:16].hex(), flush=True)
`

/** Of TLS: the connection may have been there already. */
const record = /^ 1[4-7]030[1-4]/

/** `TLS` is a record of it. */
export type Begins = 'TLS' | 'plaintext'

export class Wire implements AsyncDisposable {
  readonly #child: ChildProcess
  #said = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stdout!.on('data', (bytes: Buffer) => (this.#said += String(bytes)))
  }

  /** Of the namespace in which a process is. */
  static async open(pid: number): Promise<Wire> {
    const wire = new Wire(spawn('nsenter', ['--target', String(pid), '--net', '--', 'python3', '-c', sniffer], { stdio: ['ignore', 'pipe', 'inherit'] }))
    while (!wire.#said.includes('listens')) await once(wire.#child.stdout!, 'data')
    return wire
  }

  /** One for each connection to `HOST:PORT` so far. */
  to(place: string): readonly Begins[] {
    return this.#said.split('\n').filter((line) => line.startsWith(`${place} `)).map((line) => (record.test(line.slice(place.length)) ? 'TLS' : 'plaintext'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
