// One of the other threads of a proxy: does what the first one says, and says what the first one has to know.
import { spawn } from '../../lib/errors.ts'
import { forOtherThread } from '../../net/listen-set.ts'
import type { ListenSet } from '../../net/listen-set.ts'
import type { Proxy } from '../proxy-parts.ts'
import type { FedIdentity, FedStream } from './fed-parts.ts'
import type { FollowedNumbers } from './followed-numbers.ts'
import type { FromThread, Link, ToThread } from './link.ts'

export interface Answering {
  readonly proxy: Proxy
  readonly identity: FedIdentity
  readonly stream: FedStream
  readonly numbers: FollowedNumbers
  readonly sockets: ListenSet
}

export function answerTo(link: Link<FromThread, ToThread>, { proxy, identity, stream, numbers, sockets }: Answering): void {
  link.onMessage = (message) => {
    switch (message.kind) {
      case 'identity': return identity.replace(message.certificate, message.trust)
      case 'update': return stream.feed(message.update)
      case 'memory':
      case 'breaker-rows':
      case 'outlier-rows':
      case 'ejected': return numbers.take(message)
      case 'bound': return sockets.allow(message.addresses)
      case 'report': return link.send({ kind: 'report', report: proxy.report() })
      case 'reopen-logs': return proxy.reopenLogs()
      case 'drain': return spawn('draining a thread', (message.inboundOnly ? proxy.drainInbound(message.timeoutMs) : proxy.drainWithin(message.timeoutMs)).then((left) => link.send({ kind: 'drained', left })))
      case 'close': return spawn('ending a thread', proxy.close(0).then(() => link.send({ kind: 'closed' })))
    }
  }
  sockets.onChange = () => link.send({ kind: 'sockets', sockets: forOtherThread(sockets.sockets) })
  spawn('becoming ready', proxy.whenReady.then(() => link.send({ kind: 'ready' })))
}
