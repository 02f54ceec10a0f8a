import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../lib/clock.ts'
import type { AddressFamily, ResolveOptions, ResolvedName } from '../../net/resolve.ts'
import { DnsHosts } from './dns-hosts.ts'
import type { DnsHostsParts } from './dns-hosts.ts'
import type { EndpointSettings } from './endpoints.ts'

function endpoint(host: string, port = 80): EndpointSettings {
  const address = { host, port }
  return { address, name: `${host}:${port}`, connectTo: address, weight: 3, health: 'healthy', priority: 0, locality: '', localityWeight: 0, workload: 'w', socketLabels: {} }
}

/** A name server and a clock in the test's hands. */
function dnsWorld(endpoints: readonly EndpointSettings[], kind: DnsHostsParts['kind'] = 'strict-dns', over: { respectsTtl?: boolean; family?: AddressFamily } = {}) {
  const answers = new Map<string, ResolvedName | undefined>()
  const asked: string[] = []
  const options: ResolveOptions[] = []
  const waits: number[] = []
  let timers: (() => void)[] = []
  const clock: Clock = {
    now: () => 0,
    after(ms, run) {
      waits.push(ms)
      timers.push(run)
      return () => void (timers = timers.filter((one) => one !== run))
    },
  }
  let hosts: readonly EndpointSettings[] = []
  let changes = 0
  const dns = new DnsHosts({
    kind, endpoints, clock, random: () => 0,
    settings: { refreshMs: 60_000, respectsTtl: over.respectsTtl ?? false, family: over.family ?? 'v4' },
    async resolve(name, how) {
      asked.push(name)
      options.push(how)
      const answer = answers.get(name)
      if (answer === undefined) throw new Error(`no ${name}`)
      return answer
    },
    onHosts(found) {
      hosts = found
      changes++
    },
  })
  hosts = dns.hosts()
  return {
    dns, answers, asked, options, waits,
    get names() { return hosts.map(({ name }) => name) },
    get hosts() { return hosts },
    get changes() { return changes },
    get timers() { return timers.length },
    /** Whatever was asked is answered. */
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    async tick() {
      const due = timers
      timers = []
      for (const run of due) run()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

const found = (...addresses: string[]): ResolvedName => ({ addresses, ttlMs: undefined })

test('every address is a host with all that the endpoint had', async () => {
  const world = dnsWorld([endpoint('web.test', 8080)])
  world.answers.set('web.test', found('10.0.0.1', '::1'))
  world.dns.start()
  await world.settle()
  const address = { host: '10.0.0.1', port: 8080 }
  assert.deepEqual(world.hosts[0], { ...endpoint('web.test', 8080), address, connectTo: address, name: '10.0.0.1:8080' })
  assert.deepEqual(world.names, ['10.0.0.1:8080', '[::1]:8080'])
})

test('addresses and pipes are not looked up, a name that is used twice is looked up once, and hosts are not doubled', async () => {
  const pipe = { ...endpoint('unix:///run/x.sock', 0), name: '/run/x.sock' }
  const world = dnsWorld([endpoint('10.0.0.1'), pipe, endpoint('web.test'), endpoint('web.test', 81), endpoint('other.test')])
  world.answers.set('web.test', found('10.0.0.1'))
  world.answers.set('other.test', found('10.0.0.1'))
  world.dns.start()
  await world.settle()
  assert.deepEqual(world.asked, ['web.test', 'other.test'])
  assert.deepEqual(world.names, ['10.0.0.1:80', '/run/x.sock', '10.0.0.1:81'])
})

test('the time to live decides when it is asked for, and never less than a second', async () => {
  const world = dnsWorld([endpoint('web.test')], 'strict-dns', { respectsTtl: true, family: 'v6' })
  world.answers.set('web.test', { addresses: ['10.0.0.1'], ttlMs: 30_000 })
  world.dns.start()
  await world.settle()
  assert.deepEqual([world.options[0]!.wantsTtl, world.options[0]!.family], [true, 'v6'])
  world.answers.set('web.test', { addresses: ['10.0.0.1'], ttlMs: 0 })
  await world.tick()
  world.answers.set('web.test', found('10.0.0.1'))
  await world.tick()
  assert.deepEqual(world.waits, [30_000, 1_000, 60_000])
})

test('the same addresses in another order change nothing', async () => {
  const world = dnsWorld([endpoint('web.test')])
  world.answers.set('web.test', found('10.0.0.1', '10.0.0.2'))
  world.dns.start()
  await world.settle()
  world.answers.set('web.test', found('10.0.0.2', '10.0.0.1'))
  await world.tick()
  assert.equal(world.changes, 1)
})

test('failures keep the last good answer and are asked again soon, then less often', async () => {
  const world = dnsWorld([endpoint('web.test')])
  world.answers.set('web.test', found('10.0.0.1'))
  world.dns.start()
  await world.settle()
  world.answers.delete('web.test')
  for (let i = 0; i < 8; i++) await world.tick()
  assert.deepEqual(world.names, ['10.0.0.1:80'])
  assert.deepEqual(world.waits.slice(1), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  world.answers.set('web.test', found('10.0.0.9'))
  await world.tick()
  assert.deepEqual([world.names, world.waits.at(-1)], [['10.0.0.9:80'], 60_000])
})

test('a name is its own host until the first answer, and none when that is a failure', async () => {
  const world = dnsWorld([endpoint('web.test')])
  assert.deepEqual(world.names, ['web.test:80'])
  world.dns.start()
  await world.settle()
  assert.deepEqual(world.names, [])
  world.answers.set('web.test', found('10.0.0.1'))
  await world.tick()
  assert.deepEqual(world.names, ['10.0.0.1:80'])
})

test('a logical host keeps its name and moves where it connects to', async () => {
  const world = dnsWorld([endpoint('web.test')], 'logical-dns')
  world.answers.set('web.test', found('10.0.0.1', '10.0.0.2'))
  world.dns.start()
  await world.settle()
  assert.deepEqual(world.hosts, [{ ...endpoint('web.test'), connectTo: { host: '10.0.0.1', port: 80 } }])
})

test('after the stop nothing is asked, and answers under way are dropped', async () => {
  const world = dnsWorld([endpoint('web.test')])
  world.answers.set('web.test', found('10.0.0.1'))
  world.dns.start()
  world.dns.stop()
  await world.settle()
  assert.deepEqual([world.names, world.timers, world.changes], [['web.test:80'], 0, 0])
})
