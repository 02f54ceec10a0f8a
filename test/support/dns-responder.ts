// A resolver as a program, `dns-responder.ts HOST PORT`: every name has the address 192.0.2.77, by UDP and TCP, but those that begin
// with `no`, which there are not.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { DnsFrames, framed } from '../../src/codec/dns/frames.ts'
import { ip, reply, soa, types } from './dns-peers.ts'

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2)

function answer(asked: Buffer): Buffer {
  if (asked.toString('latin1', 13, 15) === 'no') return reply(asked, { flags: 0x8183, authority: [soa(60, 60)] })
  const type = asked.readUInt16BE(asked.indexOf(0, 12) + 1)
  return reply(asked, { answers: type === types.A ? [{ type, ttl: 60, data: ip('192.0.2.77') }] : [] })
}

const udp = createSocket('udp4').on('message', (asked, from) => udp.send(answer(asked), from.port, from.address))
await once(udp.bind(Number(port), host), 'listening')
const tcp = createServer((socket) => {
  const frames = new DnsFrames()
  socket.on('error', () => {}).on('data', (bytes) => {
    frames.push(bytes)
    for (let asked = frames.next(); asked !== undefined; asked = frames.next()) socket.write(framed(answer(asked)))
  })
})
await once(tcp.listen(Number(port), host), 'listening')
console.log('resolves')
