// One query to one resolver, by UDP or TCP: from a random port, with a random id, and believed only if it answers exactly
// what was asked.
import { randomInt } from 'node:crypto'
import { DnsFrames, framed } from '../../codec/dns/frames.ts'
import { isAnswerTo } from '../../codec/dns/message.ts'
import type { DnsQuery } from '../../codec/dns/message.ts'
import type { Address } from '../../model/address.ts'
import { connect } from '../../net/connect.ts'
import type { Transport } from '../../net/transport.ts'
import { converseUdp } from '../../net/udp.ts'

export type Over = 'udp' | 'tcp'

export interface Asking {
  readonly server: Address
  /** As the client sent it. */
  readonly asked: Buffer
  readonly query: DnsQuery
  readonly over: Over
  /** For a TCP connection to come about; who waits for the answer is somebody else's business. */
  readonly timeoutMs: number
  readonly onMismatch: () => void
  /** Once, and never inside `ask`. Undefined: there will be none. The id is that of the client's query. */
  readonly done: (response: Buffer | undefined) => void
}

export interface Asked {
  /** Of this end; 0 before it is known. */
  readonly localPort: number
  cancel(): void
}

/** Somebody who guesses at answers gets this many guesses for one query. */
const maxMismatches = 20

export function ask(asking: Asking): Asked {
  const sent = Buffer.from(asking.asked)
  sent.writeUInt16BE(randomInt(0x10000), 0)
  return asking.over === 'udp' ? askUdp(asking, sent) : askTcp(asking, sent)
}

/** Whether a message is the answer, which is then given to `done`. */
function takes({ asked, query, onMismatch, done }: Asking, sent: Buffer): (message: Buffer) => 'taken' | 'not-ours' | 'too-many' {
  let mismatches = 0
  return (message) => {
    if (!isAnswerTo(sent, query, message)) {
      onMismatch()
      return ++mismatches < maxMismatches ? 'not-ours' : 'too-many'
    }
    const response = Buffer.from(message)
    asked.copy(response, 0, 0, 2)
    done(response)
    return 'taken'
  }
}

function askUdp(asking: Asking, sent: Buffer): Asked {
  const take = takes(asking, sent)
  const conversation = converseUdp(asking.server, sent, {
    onMessage(bytes) {
      const taken = take(bytes)
      if (taken !== 'not-ours') conversation.close()
      if (taken === 'too-many') asking.done(undefined)
    },
    onError: () => asking.done(undefined),
  })
  return {
    get localPort() {
      return conversation.localPort
    },
    cancel: () => conversation.close(),
  }
}

function askTcp(asking: Asking, sent: Buffer): Asked {
  const take = takes(asking, sent)
  let transport: Transport | undefined
  let over = false
  const finish = (): void => {
    over = true
    transport?.destroy()
  }
  const cancelConnect = connect({ address: asking.server, timeoutMs: asking.timeoutMs }, (_, connected) => {
    if (connected === undefined) return asking.done(undefined)
    transport = connected
    const frames = new DnsFrames()
    connected.handler = {
      onData(bytes, length) {
        frames.push(bytes.subarray(0, length))
        for (let message = frames.next(); message !== undefined && !over; message = frames.next()) {
          const taken = take(message)
          if (taken === 'too-many') asking.done(undefined)
          if (taken !== 'not-ours') finish()
        }
      },
      onDrain() {},
      onEnd: () => connected.end(),
      onClose() {
        if (!over) asking.done(undefined)
        over = true
      },
    }
    const frame = framed(sent)
    connected.write(frame, 0, frame.length)
    connected.resume()
  })
  return {
    get localPort() {
      return transport?.localAddress.port ?? 0
    },
    cancel() {
      cancelConnect()
      finish()
    },
  }
}
