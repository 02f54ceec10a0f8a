// Rules in a real kernel: applied once, found when somebody changed them, replaced under connections that go on, and taken
// away with all that came with them.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { applyCapture, captureStands, removeCapture } from '../../src/agent/capture/apply.ts'
import type { CapturePlace } from '../../src/agent/capture/apply.ts'
import type { Backend, Standing } from '../../src/agent/capture/backend.ts'
import { captureSettings } from '../../src/agent/capture/capture-settings.ts'
import type { CaptureSettings } from '../../src/agent/capture/capture-settings.ts'
import { iptablesBackend } from '../../src/agent/capture/iptables-backend.ts'
import { nftBackend } from '../../src/agent/capture/nft-backend.ts'
import { captureRules } from '../../src/agent/capture/rules.ts'
import { Net, Observer, iptablesSkip, netnsSkip, places, wiredNets } from '../support/capture-world.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'

leavesNothing()

const settings = captureSettings({})
const tproxy = captureSettings({ mode: 'TPROXY', dnsServers: '*', dropInvalid: true })

const standing = async (wanted: CaptureSettings, place: CapturePlace): Promise<Standing> => (await captureStands(wanted, place)).rules

interface Tampering {
  readonly backend: Backend
  readonly skip: string | false
  /** Commands of somebody who knows nothing of us. */
  readonly changes: readonly (readonly string[])[]
}

const tamperings: readonly Tampering[] = [
  { backend: nftBackend, skip: netnsSkip, changes: [
    ['nft', 'flush', 'chain', 'inet', 'istio-proxy-nat', 'istio-inbound'],
    ['nft', 'insert', 'rule', 'inet', 'istio-proxy-nat', 'istio-output', 'accept'],
    ['nft', 'delete', 'table', 'inet', 'istio-proxy-nat'],
    ['nft', 'add', 'table', 'inet', 'istio-proxy-mangle'],
  ] },
  { backend: iptablesBackend, skip: netnsSkip || iptablesSkip, changes: [
    ['iptables', '-t', 'nat', '-F', 'ISTIO_INBOUND'],
    ['iptables', '-t', 'nat', '-I', 'ISTIO_OUTPUT', '-j', 'ACCEPT'],
    ['ip6tables', '-t', 'nat', '-F', 'OUTPUT'],
  ] },
]

for (const { backend, skip, changes } of tamperings) {
  test(`rules by ${backend.name} are applied once; what others change of them is found and put right`, { skip }, async () => {
    await using net = await Net.open()
    const place = { backend, run: net.run }
    assert.equal(await applyCapture(settings, place), 'none')
    assert.equal(await applyCapture(settings, place), 'equal')
    for (const change of changes) {
      net.sh(change)
      assert.notEqual(await standing(settings, place), 'equal', change.join(' '))
      assert.notEqual(await applyCapture(settings, place), 'equal')
      assert.equal(await standing(settings, place), 'equal', `after ${change.join(' ')}`)
    }
  })

  test(`other settings by ${backend.name} replace all that the ones before needed, and removal leaves nothing`, { skip }, async () => {
    await using net = await Net.open()
    const place = { backend, run: net.run }
    const own = () => [net.sh(['nft', 'list', 'ruleset']).split('\n').filter((line) => /istio|trysail|redirect|tproxy/i.test(line)).length, net.sh(['ip', 'rule', 'show']).includes('fwmark'), net.sh(['ip', '-6', 'rule', 'show']).includes('fwmark')]
    await applyCapture(tproxy, place)
    assert.deepEqual(own().slice(1), [true, true])
    assert.match(net.sh(['ip', 'route', 'show', 'table', '133']), /^local default dev lo/)
    assert.match(net.sh(['ip', '-6', 'address', 'show', 'dev', 'lo']), /::6\//)
    net.sh(['ip', 'rule', 'del', 'fwmark', '1337'])
    assert.equal(await standing(tproxy, place), 'other', 'the rule of routing belongs to it')
    await applyCapture(tproxy, place)
    assert.equal(await standing(tproxy, place), 'equal')
    assert.equal(await applyCapture(settings, place), 'other')
    assert.deepEqual(own().slice(1), [false, false])
    await removeCapture(place)
    await removeCapture(place)
    assert.deepEqual(own(), [0, false, false])
    assert.doesNotMatch(net.sh(['ip', '-6', 'address', 'show', 'dev', 'lo']), /::6\//)
  })
}

for (const [one, other] of [[nftBackend, iptablesBackend], [iptablesBackend, nftBackend]] as const) {
  test(`rules by ${one.name} take the place of those by ${other.name}, which are seen beside them; what others have there stays`, { skip: netnsSkip || iptablesSkip }, async () => {
    await using net = await Net.open()
    const place = { backend: one, run: net.run }
    await applyCapture(settings, { ...place, backend: other })
    assert.deepEqual(await captureStands(settings, place), { rules: 'none', beside: other.name })
    await one.apply(net.run, captureRules(settings)) // as when both were put in place before
    assert.deepEqual(await captureStands(settings, place), { rules: 'other', beside: other.name })
    assert.equal(await applyCapture(settings, place), 'other')
    assert.deepEqual(await captureStands(settings, place), { rules: 'equal', beside: undefined })
    await applyCapture(settings, { ...place, backend: other })
    net.sh(['iptables', '-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '--dport', '9', '-j', 'ACCEPT'])
    await removeCapture(place)
    const left = net.sh(['nft', 'list', 'ruleset'])
    assert.match(left, /^table ip nat \{[^]*dport 9 .*accept/)
    assert.deepEqual(left.match(/^table .*/gm), ['table ip nat {'])
  })
}

test("a table of iptables that is left empty goes, but for one that was there before; rules of Istio's own tool count as ours", { skip: netnsSkip || iptablesSkip }, async () => {
  await using net = await Net.open()
  net.sh(['iptables', '-t', 'nat', '-N', 'ISTIO_OUTPUT'])
  net.sh(['iptables', '-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '-j', 'ISTIO_OUTPUT'])
  const place = { backend: iptablesBackend, run: net.run }
  for (const wanted of [tproxy, settings]) assert.equal(await applyCapture(wanted, place), 'other')
  await removeCapture(place)
  assert.deepEqual(net.sh(['nft', 'list', 'tables']), 'table ip nat\n')
})

for (const { backend, skip } of tamperings) {
  test(`while rules are replaced by ${backend.name}, again and again, no new connection goes past the proxy`, { skip }, async () => {
    await using world = await wiredNets()
    const place = { backend, run: world.workload.run }
    await applyCapture(settings, place)
    await using app = await Observer.open(world.workload, { uid: 1000, gid: 1000 }, { name: 'app', tcp: [8080], udp: [], udpHosts: [] })
    await using _proxy = await Observer.open(world.workload, { uid: 1337, gid: 1337 }, { name: 'proxy', tcp: [15001, 15006], udp: [], udpHosts: [] })
    await using peer = await Observer.open(world.world, { uid: 0, gid: 0 }, { name: 'peer', tcp: [80], udp: [], udpHosts: [] })
    const { workload, peer: outside } = places.IPv4
    const met = new Map<string, number>()
    let replacing = true
    const call = async (from: Observer, host: string, port: number): Promise<void> => {
      while (replacing) {
        const seen = await from.call({ protocol: 'tcp', host, port })
        const by = typeof seen === 'string' ? seen : seen.by
        met.set(by, (met.get(by) ?? 0) + 1)
      }
    }
    const calling = [call(app, outside, 80), call(app, outside, 80), call(peer, workload, 8080), call(peer, workload, 8080)]
    try {
      for (let i = 1; i <= 8; i++) assert.equal(await applyCapture(captureSettings({ excludeOutboundPorts: [i] }), place), 'other')
    } finally {
      replacing = false
      await Promise.all(calling)
    }
    assert.deepEqual([...met.keys()].toSorted(), ['proxy:15001', 'proxy:15006'], JSON.stringify([...met]))
  })
}

/** A captured connection that says `ping` again whenever it is told to, and prints what comes back. */
const talk = `
const { connect, createServer } = require('node:net')
createServer((socket) => socket.pipe(socket)).listen(15001, () => {
  const client = connect(80, '192.0.2.1', () => console.log('connected'))
  client.on('data', (bytes) => console.log(String(bytes).trim())).on('error', (error) => console.log(error.code))
  process.stdin.on('data', (bytes) => client.write(bytes)).on('end', () => process.exit())
})
`

test('a connection that is captured goes on while the rules are replaced', { skip: netnsSkip }, async () => {
  await using net = await Net.open()
  net.sh(['ip', 'address', 'add', '192.0.2.9/32', 'dev', 'lo'])
  net.sh(['ip', 'route', 'add', '192.0.2.0/24', 'dev', 'lo', 'src', '192.0.2.9'])
  const place = { run: net.run }
  await applyCapture(captureSettings({ includeOutboundRanges: ['192.0.2.0/24', '127.0.0.2/32'] }), place)
  const [program, ...args] = [...net.enter(), process.execPath, '-e', talk]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => (await lines.next()).value
  assert.equal(await next(), 'connected')
  for (const port of [1, 2, 3]) {
    assert.equal(await applyCapture(captureSettings({ includeOutboundRanges: ['192.0.2.0/24', '127.0.0.2/32'], excludeOutboundPorts: [port] }), place), 'other')
    child.stdin.write(`ping ${port}\n`)
    assert.equal(await next(), `ping ${port}`)
  }
  child.stdin.end()
  await once(child, 'exit')
})
