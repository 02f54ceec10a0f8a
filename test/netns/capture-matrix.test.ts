// What the capture rules do to real connections: who sends, to where, under which settings; and who saw it on the wire, from
// which source, meaning whom. Each case runs over IPv4 and IPv6. Observers stand where the proxy, its workload and peers would.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { applyCapture, removeCapture } from '../../src/agent/capture/apply.ts'
import { captureSettings } from '../../src/agent/capture/capture-settings.ts'
import { iptablesBackend } from '../../src/agent/capture/iptables-backend.ts'
import { nftBackend } from '../../src/agent/capture/nft-backend.ts'
import type { CaptureSettings } from '../../src/agent/capture/capture-settings.ts'
import { Observer, iptablesSkip, netnsSkip, places, wiredNets } from '../support/capture-world.ts'
import type { Family } from '../support/capture-world.ts'
import type { Seen } from '../support/capture-observer.ts'
import { leavesNothing } from '../support/leaves-nothing.ts'

leavesNothing()

/** `app`: user and group 1000. `grouped`: user 1001, group 2000. */
type Who = 'app' | 'grouped' | 'proxy' | 'peer'
type Place = keyof (typeof places)['IPv4']

interface Case {
  readonly title: string
  readonly from: Who
  readonly source?: Place
  readonly to: readonly [Place, number]
  readonly udp?: true
  /** Who is met, `by from to`: a place or a port stands for itself; or what happens instead. */
  readonly seen: string
  readonly only?: Family
}

interface Group {
  readonly title: string
  readonly settings: (family: Family) => Partial<CaptureSettings>
  readonly cases: readonly Case[]
}

const always = (over: Partial<CaptureSettings>) => () => over
const nets = (family: Family) => (family === 'IPv4' ? { peer: '10.77.0.0/24', other: '10.78.0.0/16', beyond: '10.79.0.0/16' } : { peer: 'fd77::/64', other: 'fd78::/32', beyond: 'fd79::/32' })

const groups: readonly Group[] = [
  {
    title: 'with the defaults',
    settings: always({}),
    cases: [
      { title: 'what the workload sends to a peer goes to the outbound port', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
      { title: 'what it sends to a service that stands on no machine goes there too', from: 'app', to: ['service', 9080], seen: 'proxy:15001 from workload to service:9080' },
      { title: 'any port is captured', from: 'app', to: ['other', 1], seen: 'proxy:15001 from workload to other:1' },
      { title: 'what the proxy sends leaves', from: 'proxy', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
      { title: 'what a peer sends comes to the inbound port', from: 'peer', to: ['workload', 8080], seen: 'proxy:15006 from peer to workload:8080' },
      { title: 'so it is for a port where nobody listens', from: 'peer', to: ['workload', 4000], seen: 'proxy:15006 from peer to workload:4000' },
      { title: 'a tunnel of the ambient mesh is never redirected', from: 'peer', to: ['workload', 15008], seen: 'proxy:15008 from peer to workload:15008' },
      { title: 'the workload reaches itself over the loopback', from: 'app', to: ['loopback', 8080], seen: 'app:8080 from loopback to loopback:8080' },
      { title: 'the workload reaches its own address directly', from: 'app', to: ['workload', 8080], seen: 'app:8080 from workload to workload:8080' },
      { title: 'the workload calls its own service: the proxy dials the own address, and it comes in', from: 'proxy', to: ['workload', 8080], seen: 'proxy:15006 from workload to workload:8080' },
      { title: 'the proxy hands over what came in, from the address that is left alone', from: 'proxy', source: 'ownSource', to: ['workload', 8080], seen: 'app:8080 from ownSource to workload:8080' },
      { title: 'the proxy reaches a workload that listens on the loopback only', from: 'proxy', to: ['loopback', 8080], seen: 'app:8080 from loopback to loopback:8080' },
      { title: 'a health check comes from the address that is left alone', from: 'app', source: 'ownSource', to: ['workload', 8080], seen: 'app:8080 from ownSource to workload:8080' },
      { title: 'UDP is left alone', from: 'app', udp: true, to: ['peer', 5000], seen: 'peer:5000/udp from workload' },
      { title: 'UDP that comes in is left alone', from: 'peer', udp: true, to: ['workload', 5000], seen: 'app:5000/udp from peer' },
      { title: 'queries are left alone where DNS is not captured', from: 'app', udp: true, to: ['peer', 53], seen: 'peer:53/udp from workload' },
    ],
  },
  {
    title: 'with ports of the workload that are excluded',
    settings: always({ excludeInboundPorts: [15020, 9090] }),
    cases: [
      { title: 'an excluded port is the workload\'s own', from: 'peer', to: ['workload', 9090], seen: 'app:9090 from peer to workload:9090' },
      { title: 'the others are captured', from: 'peer', to: ['workload', 8080], seen: 'proxy:15006 from peer to workload:8080' },
    ],
  },
  {
    title: 'with ports of the workload that are listed',
    settings: always({ includeInboundPorts: [8080], excludeInboundPorts: [8080] }),
    cases: [
      { title: 'a listed port is captured, also where an exclusion names it: that counts with * only', from: 'peer', to: ['workload', 8080], seen: 'proxy:15006 from peer to workload:8080' },
      { title: 'the others are the workload\'s own', from: 'peer', to: ['workload', 9090], seen: 'app:9090 from peer to workload:9090' },
    ],
  },
  {
    title: 'with no port of the workload',
    settings: always({ includeInboundPorts: [] }),
    cases: [
      { title: 'nothing that comes in is captured', from: 'peer', to: ['workload', 8080], seen: 'app:8080 from peer to workload:8080' },
      { title: 'what goes out is', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
      { title: 'a call of its own service still comes in', from: 'proxy', to: ['workload', 8080], seen: 'proxy:15006 from workload to workload:8080' },
    ],
  },
  {
    title: 'with ports of others that are excluded',
    settings: always({ excludeOutboundPorts: [3306, 5000] }),
    cases: [
      { title: 'a database is reached directly', from: 'app', to: ['peer', 3306], seen: 'peer:3306 from workload to peer:3306' },
      { title: 'UDP to an excluded port is left alone, as to any', from: 'app', udp: true, to: ['peer', 5000], seen: 'peer:5000/udp from workload' },
      { title: 'other ports are captured', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
    ],
  },
  {
    title: 'with ranges that are excluded',
    settings: (family) => ({ excludeOutboundRanges: [nets(family).other] }),
    cases: [
      { title: 'an excluded range is reached directly', from: 'app', to: ['other', 80], seen: 'peer:80 from workload to other:80' },
      { title: 'all else is captured', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
    ],
  },
  {
    title: 'with ranges that are listed, and a port',
    settings: (family) => ({ includeOutboundRanges: [nets(family).peer], includeOutboundPorts: [3306] }),
    cases: [
      { title: 'a listed range is captured', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
      { title: 'all else is reached directly', from: 'app', to: ['other', 80], seen: 'peer:80 from workload to other:80' },
      { title: 'a listed port is captured wherever it leads', from: 'app', to: ['other', 3306], seen: 'proxy:15001 from workload to other:3306' },
    ],
  },
  {
    title: 'with no range',
    settings: always({ includeOutboundRanges: [] }),
    cases: [
      { title: 'nothing that goes out is captured', from: 'app', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
      { title: 'what comes in is', from: 'peer', to: ['workload', 8080], seen: 'proxy:15006 from peer to workload:8080' },
    ],
  },
  {
    title: 'with the range of the loopback',
    settings: (family) => ({ includeOutboundRanges: [family === 'IPv4' ? '127.0.0.8/32' : '::1/128'] }),
    cases: [
      { title: 'the workload still reaches itself by its own address', from: 'app', to: ['workload', 8080], seen: 'app:8080 from workload to workload:8080' },
      { title: 'what it sends elsewhere is not in the range', from: 'app', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
    ],
  },
  {
    title: 'with groups that are listed',
    settings: always({ includeOwnerGroups: ['2000'] }),
    cases: [
      { title: 'a program of that group is captured', from: 'grouped', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
      { title: 'others are not', from: 'app', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
    ],
  },
  {
    title: 'with groups that are excluded',
    settings: always({ excludeOwnerGroups: ['2000'] }),
    cases: [
      { title: 'a program of that group is not captured', from: 'grouped', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
      { title: 'others are', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
    ],
  },
  {
    title: 'with an interface that is excluded',
    settings: always({ excludeInterfaces: ['eth0'] }),
    cases: [
      { title: 'nothing that leaves by it is captured', from: 'app', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
      { title: 'nothing that comes by it is captured', from: 'peer', to: ['workload', 8080], seen: 'app:8080 from peer to workload:8080' },
    ],
  },
  {
    title: 'with a virtual machine behind an interface',
    settings: (family) => ({ virtualInterfaces: ['eth0'], includeOutboundRanges: [nets(family).beyond] }),
    cases: [
      { title: 'what it sends into a listed range goes to the outbound port', from: 'peer', to: ['beyond', 80], seen: 'proxy:15001 from peer to beyond:80' },
      { title: 'what it sends to the workload is not captured', from: 'peer', to: ['workload', 8080], seen: 'app:8080 from peer to workload:8080' },
    ],
  },
  {
    title: 'with a virtual machine behind an interface, and all ranges',
    settings: always({ virtualInterfaces: ['eth0'] }),
    cases: [{ title: 'all that it sends goes to the outbound port', from: 'peer', to: ['beyond', 80], seen: 'proxy:15001 from peer to beyond:80' }],
  },
  {
    title: 'with TPROXY',
    settings: always({ mode: 'TPROXY', excludeInboundPorts: [9090] }),
    cases: [
      { title: 'what a peer sends comes to the inbound port as it is', from: 'peer', to: ['workload', 8080], seen: 'proxy:15006 from peer to workload:8080' },
      { title: 'an excluded port is the workload\'s own', from: 'peer', to: ['workload', 9090], seen: 'app:9090 from peer to workload:9090' },
      { title: 'a tunnel of the ambient mesh is never redirected', from: 'peer', to: ['workload', 15008], seen: 'proxy:15008 from peer to workload:15008' },
      { title: 'what the workload sends goes to the outbound port', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
      { title: 'what the proxy sends leaves', from: 'proxy', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
      { title: 'the workload reaches itself over the loopback', from: 'app', to: ['loopback', 8080], seen: 'app:8080 from loopback to loopback:8080' },
      { title: 'the workload reaches its own address directly', from: 'app', to: ['workload', 8080], seen: 'app:8080 from workload to workload:8080' },
      { title: 'the workload calls its own service: it comes in', from: 'proxy', to: ['workload', 8080], seen: 'proxy:15006 from workload to workload:8080' },
      { title: 'the proxy hands over from the address that is left alone', from: 'proxy', source: 'ownSource', to: ['workload', 8080], seen: 'app:8080 from ownSource to workload:8080' },
      { title: 'UDP is left alone', from: 'peer', udp: true, to: ['workload', 5000], seen: 'app:5000/udp from peer' },
    ],
  },
  {
    title: 'while no proxy listens',
    settings: always({ inboundPort: 15996, outboundPort: 15991 }),
    cases: [
      { title: 'nothing comes past it', from: 'peer', to: ['workload', 8080], seen: 'ECONNREFUSED' },
      { title: 'nothing leaves past it', from: 'app', to: ['peer', 80], seen: 'ECONNREFUSED' },
    ],
  },
  {
    title: 'with TPROXY, while no proxy listens',
    settings: always({ mode: 'TPROXY', inboundPort: 15996 }),
    cases: [{ title: 'nothing comes past it', from: 'peer', to: ['workload', 8080], seen: 'silence' }],
  },
  {
    title: 'with TPROXY and ports of the workload that are listed',
    settings: always({ mode: 'TPROXY', includeInboundPorts: [8080] }),
    cases: [
      { title: 'a listed port comes to the inbound port as it is', from: 'peer', to: ['workload', 8080], seen: 'proxy:15006 from peer to workload:8080' },
      { title: 'the others are the workload\'s own', from: 'peer', to: ['workload', 9090], seen: 'app:9090 from peer to workload:9090' },
    ],
  },
  {
    title: 'with TPROXY and no port of the workload',
    settings: always({ mode: 'TPROXY', includeInboundPorts: [] }),
    cases: [
      { title: 'nothing that comes in is captured', from: 'peer', to: ['workload', 8080], seen: 'app:8080 from peer to workload:8080' },
      { title: 'what goes out is', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
    ],
  },
  {
    title: 'with DNS captured for one name server',
    settings: (family) => ({ dnsServers: [places[family].peer] }),
    cases: [
      { title: 'a query goes to the proxy', from: 'app', udp: true, to: ['peer', 53], seen: 'proxy:15053/udp from workload' },
      { title: 'a query over TCP goes to the proxy', from: 'app', to: ['peer', 53], seen: 'proxy:15053 from workload to peer:53' },
      { title: 'a query of the proxy leaves', from: 'proxy', udp: true, to: ['peer', 53], seen: 'peer:53/udp from workload' },
      { title: 'a query to another server leaves', from: 'app', udp: true, to: ['other', 53], seen: 'peer:53/udp from workload' },
      { title: 'the workload still reaches its own address directly', from: 'app', to: ['workload', 8080], seen: 'app:8080 from workload to workload:8080' },
      { title: 'other UDP is left alone', from: 'app', udp: true, to: ['peer', 5000], seen: 'peer:5000/udp from workload' },
    ],
  },
  {
    title: 'with all DNS captured',
    settings: always({ dnsServers: '*' }),
    cases: [
      { title: 'a query to any server goes to the proxy', from: 'app', udp: true, to: ['other', 53], seen: 'proxy:15053/udp from workload' },
      { title: 'a query of the proxy leaves', from: 'proxy', udp: true, to: ['other', 53], seen: 'peer:53/udp from workload' },
    ],
  },
  {
    title: 'with all DNS captured, but its port excluded',
    settings: always({ dnsServers: '*', excludeOutboundPorts: [53] }),
    cases: [
      { title: 'a query leaves', from: 'app', udp: true, to: ['peer', 53], seen: 'peer:53/udp from workload' },
      { title: 'a query over TCP leaves', from: 'app', to: ['peer', 53], seen: 'peer:53 from workload to peer:53' },
      { title: 'other ports are captured', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
    ],
  },
  {
    title: 'with packets of no connection dropped',
    settings: always({ dropInvalid: true }),
    cases: [{ title: 'connections are captured as before', from: 'peer', to: ['workload', 8080], seen: 'proxy:15006 from peer to workload:8080' }],
  },
  {
    title: 'with the mode NONE',
    settings: always({ mode: 'NONE' }),
    cases: [
      { title: 'nothing that goes out is captured', from: 'app', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
      { title: 'nothing that comes in is captured', from: 'peer', to: ['workload', 8080], seen: 'app:8080 from peer to workload:8080' },
    ],
  },
  {
    title: 'without IPv6',
    settings: always({ ipv6: false }),
    cases: [
      { title: 'IPv4 is captured', only: 'IPv4', from: 'app', to: ['peer', 80], seen: 'proxy:15001 from workload to peer:80' },
      { title: 'IPv6 is not', only: 'IPv6', from: 'app', to: ['peer', 80], seen: 'peer:80 from workload to peer:80' },
    ],
  },
]

/** For what shall not be answered: an answer takes less than a millisecond. */
const silentMs = 500

const families: readonly Family[] = ['IPv4', 'IPv6']
const both = (place: Place): readonly string[] => families.map((family) => places[family][place])

describe('the capture matrix', { skip: netnsSkip }, () => {
  const open: AsyncDisposable[] = []
  let world: Awaited<ReturnType<typeof wiredNets>>
  let callers: Readonly<Record<Who, Observer>>

  before(async () => {
    world = await wiredNets()
    open.push(world)
    const { workload, world: outside } = world
    const [app, grouped, proxy, peer] = await Promise.all([
      Observer.open(workload, { uid: 1000, gid: 1000 }, { name: 'app', tcp: [8080, 9090], udp: [5000], udpHosts: both('workload') }),
      Observer.open(workload, { uid: 1001, gid: 2000 }, { name: 'grouped', tcp: [], udp: [], udpHosts: [] }),
      Observer.open(workload, { uid: 1337, gid: 1337 }, { name: 'proxy', tcp: [15001, 15006, 15008, 15053], udp: [15053], udpHosts: both('loopback'), transparent: true }),
      Observer.open(outside, { uid: 0, gid: 0 }, { name: 'peer', tcp: [53, 80, 3306], udp: [53, 5000], udpHosts: [...both('peer'), ...both('other')] }),
    ])
    callers = { app, grouped, proxy, peer }
    open.push(...Object.values(callers))
  })

  after(async () => {
    for (const one of open.reverse()) await one[Symbol.asyncDispose]()
  })

  for (const backend of [nftBackend, iptablesBackend]) {
    describe(`by ${backend.name}`, { skip: backend.name === 'iptables' && iptablesSkip }, () => {
      for (const { title: under, settings, cases } of groups) {
        for (const family of families) {
          describe(`${under}, over ${family}`, () => {
            before(() => applyCapture(captureSettings(settings(family)), { backend, run: world.workload.run }))
            for (const one of cases.filter(({ only }) => only === undefined || only === family)) {
              test(one.title, async () => assert.equal(named(await callers[one.from].call(callOf(one, family), one.seen === 'silence' ? silentMs : undefined), family), one.seen))
            }
          })
        }
      }

      test('nothing is left when it is removed', async () => {
        await removeCapture({ backend, run: world.workload.run })
        const left = world.workload.sh(['nft', 'list', 'ruleset']).split('\n').filter((line) => /istio|trysail|redirect|tproxy/i.test(line))
        assert.deepEqual(left, [])
        assert.doesNotMatch(world.workload.sh(['ip', '-6', 'address', 'show', 'dev', 'lo']), /::6\//)
        for (const family of ['-4', '-6']) assert.doesNotMatch(world.workload.sh(['ip', family, 'rule', 'show']), /fwmark/)
      })
    })
  }
})

function callOf({ to: [place, port], udp, source }: Case, family: Family) {
  const at = places[family]
  return { protocol: udp === true ? 'udp' as const : 'tcp' as const, host: at[place], port, ...(source !== undefined && { source: at[source] }) }
}

/** Addresses by the names of their places. */
function named(seen: Seen | string, family: Family): string {
  if (typeof seen === 'string') return seen
  const name = (host: string) => Object.entries(places[family]).find(([, address]) => address === host)?.[0] ?? host
  const to = /^\[?([^\]]+?)\]?:(\d+)$/.exec(seen.to)
  return `${seen.by} from ${name(seen.from)}${to === null ? '' : ` to ${name(to[1]!)}:${to[2]}`}`
}
