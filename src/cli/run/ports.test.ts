import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reservePort } from '../../net/reserve-port.ts'
import { takePorts } from './ports.ts'
import type { WantedProcess } from './wanted-process.ts'

const wanted = (over: Partial<WantedProcess> = {}): WantedProcess => ({
  key: 'default/web', name: 'web', namespace: 'default', labels: {}, annotations: {}, serviceAccount: 'default', proxyType: 'sidecar', command: ['web'],
  workingDirectory: '.', env: {}, address: '127.0.0.1', ports: [{ name: 'http', containerPort: 8080, hostPort: undefined }], probe: undefined, graceMs: 0,
  origin: { file: 'web.yaml', line: 7, column: 1 }, ...over,
})

const release = ({ taps }: Awaited<ReturnType<typeof takePorts>>): void => {
  for (const { listen } of taps) if ('server' in listen) listen.server.close()
}

test('peers reach the sidecar at one port, the program listens on another', async () => {
  const ports = await takePorts(wanted(), '10.1.0.1')
  try {
    const [inbound, app] = [ports.inbound.get(8080)!.port, ports.app.get(8080)!.port]
    assert.ok(inbound > 0 && app > 0 && inbound !== app)
    assert.deepEqual(ports.taps[0]!.originalDestination, { host: '10.1.0.1', port: 8080 })
  } finally {
    release(ports)
  }
})

test('a port that the file gives to the program by PORT is taken as it is', async () => {
  const two = [{ name: 'http', containerPort: 8080, hostPort: undefined }, { name: 'admin-ui', containerPort: 8081, hostPort: undefined }]
  const ports = await takePorts(wanted({ env: { PORT: '3000', PORT_ADMIN_UI: '3001' }, ports: two }), '10.1.0.1')
  release(ports)
  assert.deepEqual([ports.app.get(8080)?.port, ports.app.get(8081)?.port], [3000, 3001])
})

test('a program that runs already, or that has no sidecar, is where services know it to be', async () => {
  const running = await takePorts(wanted({ command: [] }), '10.1.0.1')
  release(running)
  assert.equal(running.app.get(8080)?.port, 8080)
  const alone = await takePorts(wanted({ proxyType: 'none' }), '127.0.0.1')
  assert.deepEqual([alone.app.get(8080)?.port, alone.inbound.size, alone.taps.length], [8080, 0, 0])
})

test('a hostPort that is taken is named with the resource and the file that ask for it', async () => {
  const taken = await reservePort()
  const { port } = taken.address
  try {
    await assert.rejects(takePorts(wanted({ ports: [{ name: '', containerPort: 1, hostPort: port }] }), '10.1.0.1'), {
      code: 'run/port', message: `port already taken: 127.0.0.1:${port} wanted by Process default/web (web.yaml:7, hostPort)`,
    })
  } finally {
    taken.release()
  }
})
