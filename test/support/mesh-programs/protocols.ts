// A program of a test's mesh that takes HTTP/1.1 and HTTP/2 on one port, as a client begins, and answers with which it was
// and with whom the mesh says it saw.
import { createServer as createHttp1 } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'

const port = Number(process.env['PORT'] ?? 9080)
const http1 = createHttp1((request, response) => {
  response.end(JSON.stringify({ protocol: 'HTTP/1.1', caller: request.headers['x-forwarded-client-cert'] ?? '' }))
})

const http2 = createHttp2()
http2.on('stream', (stream, headers) => {
  const grpc = String(headers['content-type'] ?? '').startsWith('application/grpc')
  stream.on('error', () => undefined)
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.respond({ ':status': 200, ...(grpc && { 'content-type': 'application/grpc' }) }, { waitForTrailers: grpc })
  stream.end(JSON.stringify({ protocol: 'HTTP/2', caller: headers['x-forwarded-client-cert'] ?? '' }))
})
http2.on('sessionError', () => undefined)

createServer((socket: Socket) => {
  socket.on('error', () => undefined)
  socket.once('readable', () => {
    const bytes = socket.read() as Buffer | null
    if (bytes === null) return void socket.destroy()
    socket.unshift(bytes)
    const server = bytes.toString('latin1').startsWith('PRI ') ? http2 : http1
    server.emit('connection', socket)
  })
}).listen(port, process.env['HOST'] ?? '127.0.0.1', () => console.log('ready'))

process.on('SIGTERM', () => process.exit(0))
