import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reservePort } from '../net/reserve-port.ts'
import type { Capture } from '../proxy/main.ts'
import { proxySettings } from '../proxy/settings.ts'
import type { ProxySettings } from '../proxy/settings.ts'
import { placeProxy, placesOf } from './proxy-places.ts'
import type { Places } from './proxy-places.ts'

const none = { capture: 'taps', proxyMark: 0, inbound: [], outbound: [], gatewayPort: [] } as const
type Given = Partial<Parameters<typeof placesOf>[0]>

function mistakesIn(given: Given, settings: Partial<ProxySettings> = {}): string[] {
  const mistakes: string[] = []
  placesOf({ ...none, ...given }, proxySettings(settings), mistakes)
  return mistakes
}

function placesIn(given: Given, settings: Partial<ProxySettings> = {}): Places {
  const mistakes: string[] = []
  const places = placesOf({ ...none, ...given }, proxySettings(settings), mistakes)
  assert.deepEqual(mistakes, [])
  return places
}

const cases: readonly { title: string; given: Given; settings?: Partial<ProxySettings>; mistakes: readonly string[] }[] = [
  { title: 'what is no pair of addresses', given: { inbound: ['9080'], outbound: ['127.0.0.1:9001=reviews'] }, mistakes: [
    '--inbound must be LISTEN=APP such as 10.0.0.7:9080=127.0.0.1:8080, not "9080"',
    '--outbound must be LISTEN=HOST:PORT such as 127.0.0.1:9001=reviews:9080, not "127.0.0.1:9001=reviews"',
  ] },
  { title: 'a name to listen on', given: { outbound: ['localhost:9001=reviews:9080'] }, mistakes: ['--outbound must be LISTEN=HOST:PORT such as 127.0.0.1:9001=reviews:9080, not "localhost:9001=reviews:9080"'] },
  { title: 'a port of the workload that is not known before', given: { inbound: ['127.0.0.2:0=127.0.0.1:8080'] }, mistakes: ['--inbound 127.0.0.2:0=127.0.0.1:8080: peers have to know the port, it cannot be 0'] },
  { title: 'an application in the place of its sidecar', given: { inbound: ['127.0.0.2:80=127.0.0.2:80'] }, mistakes: ['--inbound 127.0.0.2:80=127.0.0.2:80: the application has to listen elsewhere than its sidecar'] },
  { title: 'one port of the workload twice', given: { inbound: ['127.0.0.2:80=127.0.0.1:1', '127.0.0.3:80=127.0.0.1:2'] }, mistakes: ['--inbound takes port 80 of the workload more than once'] },
  { title: 'one address to listen on twice', given: { inbound: ['127.0.0.2:80=127.0.0.1:1'], outbound: ['127.0.0.2:80=reviews:9080'] }, mistakes: ['127.0.0.2:80 is to be listened on more than once'] },
  { title: 'a gateway with taps', given: { inbound: ['127.0.0.2:80=127.0.0.1:1'] }, settings: { type: 'router' }, mistakes: ['--inbound is for a sidecar, this proxy is a router'] },
  { title: 'a sidecar with gateway ports', given: { gatewayPort: ['80=127.0.0.1:8080'] }, mistakes: ['--gateway-port is for a router, this proxy is a sidecar'] },
  { title: 'a gateway port that is none', given: { gatewayPort: ['80000=127.0.0.1:80', '80=8080'] }, settings: { type: 'router' }, mistakes: [
    '--gateway-port must be PORT=LISTEN such as 80=127.0.0.1:8080, not "80000=127.0.0.1:80"',
    '--gateway-port must be PORT=LISTEN such as 80=127.0.0.1:8080, not "80=8080"',
  ] },
  { title: 'capture by the kernel for a gateway', given: { capture: 'netfilter' }, settings: { type: 'router', ip: '10.0.0.7' }, mistakes: ['--capture netfilter is for a sidecar, this proxy is a router'] },
  { title: 'capture by the kernel beside taps', given: { capture: 'netfilter', outbound: ['127.0.0.1:9001=reviews:9080'] }, settings: { ip: '10.0.0.7' }, mistakes: [
    '--capture netfilter brings all traffic: --inbound and --outbound are for --capture taps',
  ] },
  { title: 'capture by the kernel for a workload that has only the loopback', given: { capture: 'netfilter' }, mistakes: [
    '--capture netfilter needs --ip (INSTANCE_IP): the address by which peers reach the workload, not the loopback',
  ] },
]

for (const { title, given, settings, mistakes } of cases) {
  test(`${title} is refused`, () => assert.deepEqual(mistakesIn(given, settings), mistakes))
}

test('a sidecar dials its application where its own address is meant, itself where it is meant with TLS, and everything else as it stands', async () => {
  const settings = { ip: '10.0.0.7' }
  const reserved = await reservePort('127.0.0.9')
  reserved.release()
  const { port } = reserved.address
  const { capture, sentences } = await placeProxy(placesIn({ inbound: [`127.0.0.9:${port}=127.0.0.1:8080`] }, settings), proxySettings(settings))
  assert.deepEqual(capture.dial({ host: '10.0.0.7', port }, false), { host: '127.0.0.1', port: 8080 })
  assert.deepEqual(capture.dial({ host: '10.0.0.7', port }, true), { host: '127.0.0.9', port })
  assert.deepEqual(capture.dial({ host: '10.0.0.8', port }, true), { host: '10.0.0.8', port })
  assert.deepEqual(sentences, [`inbound: 127.0.0.9:${port} leads to 127.0.0.1:8080`])
})

test("a gateway's ports stand where they are told to, the others on all addresses", async () => {
  const settings = { type: 'router' } as const
  const { capture } = await placeProxy(placesIn({ gatewayPort: ['80=127.0.0.1:8080'] }, settings), proxySettings(settings))
  const at = (port: number) => capture.bindsAt({ address: { host: '0.0.0.0', port } } as Parameters<Capture['bindsAt']>[0])
  assert.deepEqual([at(80), at(8443)], [{ host: '127.0.0.1', port: 8080 }, { host: '0.0.0.0', port: 8443 }])
})

test('a port that is taken is found before anything starts', async () => {
  const taken = await reservePort()
  try {
    await assert.rejects(placeProxy(placesIn({ outbound: [`127.0.0.1:${taken.address.port}=reviews:9080`] }), proxySettings({})), { code: 'cli/port-taken' })
  } finally {
    taken.release()
  }
})
