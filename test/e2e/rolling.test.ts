// Instances of a workload are replaced one by one, under keep-alive load, WebSockets and gRPC streams, while the control plane is
// restarted twice: no request fails, and nothing that lives long ends unannounced. TRYSAIL_ROLLS=5 rolls all of them five times.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { LifeProgram } from '../../src/agent/life/program.ts'
import { EchoClient, GrpcEcho } from '../support/grpc-echo.ts'
import { ProcessMesh } from '../support/process-mesh.ts'
import { until } from '../support/until.ts'
import { agreeToWebSocket } from '../support/websocket-echo.ts'
import { runWorkload } from '../support/workload-life.ts'
import type { RunningWorkload } from '../support/workload-life.ts'

const instances = 20
const rolls = Number(process.env['TRYSAIL_ROLLS'] ?? 0)
/** Half of them once, unless more is asked for: a minute is long for a test. */
const steps = rolls === 0 ? instances / 2 : instances * rolls
const webSockets = 200
const grpcStreams = 20
const keepAliveClients = 8
const drainMs = 2_000
/** Of the application, at the address of its instance. */
const [httpPort, grpcPort] = [8_081, 8_082]

/** The application of one instance, from the start of its program to its end. */
function startShop(host: string): LifeProgram {
  const ended = Promise.withResolvers<{ readonly code: number }>()
  const sockets = new Set<Socket>()
  const server = createServer((incoming, response) => void incoming.resume().on('end', () => response.end('ok')))
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
  server.on('upgrade', (incoming, socket: Socket) => agreeToWebSocket(incoming.headers['sec-websocket-key'] ?? '', socket))
  server.listen(httpPort, host)
  const grpc = GrpcEcho.start(grpcPort, host)
  return {
    ended: ended.promise,
    signal() {
      server.close(() => void grpc.then((one) => one[Symbol.asyncDispose]()).then(() => ended.resolve({ code: 0 })))
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** What clients saw that they should not have. */
class Failures {
  readonly all = new Map<string, number>()
  count(what: string): void {
    this.all.set(what, (this.all.get(what) ?? 0) + 1)
  }
}

interface Load {
  readonly seen: { requests: number; closeFrames: number; statuses: number }
  readonly failures: Failures
  going: boolean
}

async function keepAsking(load: Load, at: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let i = 0; load.going; i++) {
    const answer = await new Promise<string>((resolve) => {
      const method = i % 2 === 0 ? 'GET' : 'POST'
      const asked = request(`http://${at}/`, { agent, method }, (response) => {
        let body = ''
        response.on('data', (bytes: Buffer) => (body += bytes.toString())).on('end', () => resolve(`${method} ${response.statusCode}${response.statusCode === 200 ? '' : ` ${body}`}`)).on('error', (error) => resolve(`${method} ${error.message}`))
      })
      asked.on('error', (error) => resolve(`${method} ${error.message}`))
      asked.end(method === 'POST' ? 'body' : undefined)
    })
    load.seen.requests++
    if (!answer.endsWith(' 200')) load.failures.count(answer)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  agent.destroy()
}

const asksForChat = 'GET /chat HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
const hello = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
const ownClose = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9])

/** One WebSocket after the other: each says hello now and then, and ends with a close frame, or it is a failure. */
async function keepChatting(load: Load, at: string): Promise<void> {
  const [host = '', port = ''] = at.split(':')
  while (load.going) {
    const socket = connect(Number(port), host)
    let text = ''
    let closed = false
    const talk = setInterval(() => void (text.includes('\r\n\r\n') && !closed && socket.write(hello)), 500)
    const end = new Promise<string>((resolve) => {
      socket.on('connect', () => socket.write(asksForChat))
      socket.on('data', (bytes: Buffer) => {
        text = text.length > 4_000 ? `${text.slice(0, 400)}${text.slice(-50)}` : text
        text += bytes.toString('latin1')
        if (!closed && bytes.includes('\x88\x02\x03\xe9', 0, 'latin1')) {
          closed = true
          socket.end(ownClose)
        }
        if (!load.going) socket.destroy()
      })
      socket.on('error', (error) => resolve(error.message))
      socket.on('close', () => resolve('end'))
    })
    const how = await end
    clearInterval(talk)
    if (!load.going) return
    if (!text.startsWith('HTTP/1.1 101 ')) load.failures.count(`WebSocket: ${text} ${how}`)
    else if (!closed) load.failures.count(`WebSocket: ${how} without a close frame`)
    else load.seen.closeFrames++
  }
}

/** One stream after the other: each talks until it is told UNAVAILABLE, in words. */
async function keepStreaming(load: Load, client: EchoClient): Promise<void> {
  while (load.going) {
    const call = client.chat()
    const talk = setInterval(() => call.write(Buffer.from('hi')), 200)
    const end = await new Promise<string>((resolve) => {
      call.on('data', () => void (load.going || call.cancel()))
      call.on('error', (error: Error) => resolve(error.message))
      call.on('end', () => resolve('end'))
      call.write(Buffer.from('hi'))
    })
    clearInterval(talk)
    if (!load.going) return
    if (end === '14 UNAVAILABLE: the proxy ends') load.seen.statuses++
    else load.failures.count(`gRPC: ${end}`)
  }
}

test(`${steps} times one of ${instances} instances is replaced, the control plane twice: no request fails, nothing ends unannounced`, { timeout: 60_000 + rolls * 60_000 }, async () => {
  await using mesh = await ProcessMesh.create()
  mesh.write('mesh.yaml', meshYaml(mesh.net))
  let control = await mesh.startControl()
  const roots = readFileSync(await mesh.rootsFile(), 'utf8')
  const tokens = { shop: await mesh.token('shop', 600_000), productpage: await mesh.token('productpage', 600_000) }
  const settings = { discoveryAddress: mesh.addresses.xds, terminationDrainDuration: drainMs }

  const start = (i: number): RunningWorkload => {
    const ip = `${mesh.net}.${10 + i}`
    return runWorkload({
      name: `shop-${i}`, roots, inbound: [`${ip}:9081=${ip}:${httpPort}`, `${ip}:9082=${ip}:${grpcPort}`],
      settings: { ...settings, serviceAccount: 'shop', labels: { app: 'shop' }, ip, token: tokens.shop },
    }, () => startShop(ip))
  }
  const running = Array.from({ length: instances }, (_, i) => start(i))
  const [http, grpc] = [`${mesh.net}.3:9181`, `${mesh.net}.3:9182`] as const
  const client = runWorkload({
    name: 'productpage', roots, outbound: [`${http}=shop:9081`, `${grpc}=shop:9082`], settings: { ...settings, ip: `${mesh.net}.3`, token: tokens.productpage },
  }, () => {
    const ended = Promise.withResolvers<{ readonly code: number }>()
    return { ended: ended.promise, signal: () => ended.resolve({ code: 0 }) }
  })
  await Promise.all([...running, client].map(({ started }) => started))
  await until(async () => (await fetch(`http://${http}/`).then(({ status }) => status, () => 0)) === 200, 'the client reaches the shop')

  const load: Load = { seen: { requests: 0, closeFrames: 0, statuses: 0 }, failures: new Failures(), going: true }
  using echo = new EchoClient({ host: `${mesh.net}.3`, port: 9_182 })
  const work = [
    ...Array.from({ length: keepAliveClients }, () => keepAsking(load, http)),
    ...Array.from({ length: webSockets }, () => keepChatting(load, http)),
    ...Array.from({ length: grpcStreams }, () => keepStreaming(load, echo)),
  ]
  for (let step = 0; step < steps; step++) {
    const i = step % instances
    running[i]!.stop()
    if (step === Math.floor(steps / 3) || step === Math.floor((2 * steps) / 3)) control = await restart(mesh, control)
    assert.equal(await running[i]!.exited, 0)
    running[i] = start(i)
    await running[i].started
  }
  load.going = false
  await Promise.all(work)
  assert.deepEqual([...load.failures.all], [])
  assert.ok(load.seen.requests > steps && load.seen.closeFrames > steps && load.seen.statuses > 0, JSON.stringify(load.seen))
  for (const one of [...running, client]) one.stop()
  await Promise.all([...running, client].map(({ exited }) => exited))
})

async function restart(mesh: ProcessMesh, control: { signal(name: NodeJS.Signals): void; readonly exited: Promise<unknown> }) {
  control.signal('SIGTERM')
  await control.exited
  return await mesh.startControl()
}

const meshYaml = (net: string): string => `
apiVersion: v1
kind: Service
metadata: { name: shop, namespace: default }
spec: { clusterIP: 10.96.0.10, selector: { app: shop }, ports: [{ name: http, port: 9081 }, { name: grpc, port: 9082 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: STRICT } }
${Array.from({ length: instances }, (_, i) => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: shop-${i}, namespace: default }
spec: { address: ${net}.${10 + i}, serviceAccount: shop, labels: { app: shop, security.istio.io/tlsMode: istio } }
`).join('')}`
