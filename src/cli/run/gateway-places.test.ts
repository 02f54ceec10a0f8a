import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlacedPorts } from './gateway-places.ts'

const cases: readonly (readonly [port: number, protocol: string, url: string])[] = [
  [80, 'HTTP', 'http://127.0.0.1:8080'],
  [443, 'HTTPS', 'https://127.0.0.1:8443'],
  [8443, 'HTTPS', 'https://127.0.0.1:8443'],
  [9000, 'GRPC', 'http://127.0.0.1:9000'],
  [15_443, 'TLS', 'tcp://127.0.0.1:15443'],
]
for (const [port, protocol, url] of cases) {
  test(`a server of ${protocol} on ${port} is shown as ${url}`, () => {
    const placed = new PlacedPorts({ host: '127.0.0.1', ports: new Map(), privileged: false }, new Map(), () => {}, new Map([[port, protocol]]))
    assert.equal(placed.door(port, placed.place(port)).url, url)
  })
}
