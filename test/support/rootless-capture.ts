// The program of test/netns/rootless.test.ts, root of a user namespace and nothing else: a workload and a peer as in
// capture-world.ts, its proxy known by the mark of its packets. Prints who was met.
import { applyCapture, removeCapture } from '../../src/agent/capture/apply.ts'
import { captureSettings } from '../../src/agent/capture/capture-settings.ts'
import { Observer, places, wiredNets } from './capture-world.ts'

const root = { uid: 0, gid: 0 }
const { workload: own, peer, ownSource } = places.IPv4
const tcp = (host: string, port: number, source?: string) => ({ protocol: 'tcp' as const, host, port, ...(source !== undefined && { source }) })
const query = { protocol: 'udp' as const, host: peer, port: 53 }

await using world = await wiredNets()
const { run } = world.workload
const settings = captureSettings({ proxyUids: [], proxyGids: [], proxyMarks: [1337], dnsServers: '*' })
const applied = [await applyCapture(settings, { run }), await applyCapture(settings, { run })]
await using app = await Observer.open(world.workload, root, { name: 'app', tcp: [8080], udp: [], udpHosts: [] })
await using proxy = await Observer.open(world.workload, root, { name: 'proxy', tcp: [15001, 15006], udp: [15053], udpHosts: ['127.0.0.1'], mark: 1337 })
await using outside = await Observer.open(world.world, root, { name: 'peer', tcp: [80], udp: [53], udpHosts: [peer] })
const met = async (from: Observer, to: Parameters<Observer['call']>[0]): Promise<string> => {
  const seen = await from.call(to)
  return typeof seen === 'string' ? seen : seen.by
}
const seen = {
  app: await met(app, tcp(peer, 80)), proxy: await met(proxy, tcp(peer, 80)), peer: await met(outside, tcp(own, 8080)),
  ownService: await met(proxy, tcp(own, 8080)), ownWorkload: await met(proxy, tcp(own, 8080, ownSource)), itself: await met(app, tcp(own, 8080)),
  query: await met(app, query), queryOfProxy: await met(proxy, query),
}
await removeCapture({ run })
process.stdout.write(JSON.stringify({ applied, seen, left: world.workload.sh(['nft', 'list', 'ruleset']) }))
