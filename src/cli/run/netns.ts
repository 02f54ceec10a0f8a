// The networks of `run --capture netns`: the switch between the workloads, and what this process serves there from this
// machine's own network: the control plane's port, name servers, and connections to the outside.
import { readFileSync } from 'node:fs'
import type { Socket as DatagramSocket } from 'node:dgram'
import type { Socket } from 'node:net'
import { missingTool, toolEnvironment } from '../../agent/netns/commands.ts'
import type { Namespace } from '../../agent/netns/namespace.ts'
import { Switch, controlPort, dnsPort, egressPort, switchAddress, switchAddressV6 } from '../../agent/netns/switch.ts'
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Address } from '../../model/address.ts'
import { startDatagramRelay } from '../../net/datagram-relay.ts'
import { OriginalDestinations } from '../../net/original-destination.ts'
import { socketOptions, descriptorOf } from '../../net/socket-options.ts'
import { startRelay } from '../../net/relay.ts'
import type { Relay } from '../../net/relay.ts'
import { MeshError, hasCode } from '../../lib/errors.ts'
import { processRange, serviceEntryRange, serviceRange } from '../../sources/registry/address-pool.ts'
import { processRangeV6, processV6, serviceRangeV6 } from '../../sources/registry/second-family.ts'
import { findProgram } from './find-program.ts'
import { bareRange } from './netns/addresses.ts'
import { compileCacheFolder } from './netns/compile-cache.ts'
import type { Guard } from './guard.ts'
import { bindFiles } from './netns/files.ts'
import type { WorkloadFiles } from './netns/files.ts'
import { killAllIn, networkOf } from './netns/left.ts'
import { socketsOf } from './netns/sockets.ts'

export interface NetworksParts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the control plane serves xDS and its CA; asked when somebody connects to it. */
  control(): Address | undefined
  readonly guard: Pick<Guard, 'addNetwork' | 'removeNetwork'>
}

/** What all of it is made with. */
const tools = ['ip', 'nft', 'nsenter', 'unshare', 'mount', 'cat', 'setpriv']
/** Who has changed networks asks again within seconds. */
const resolvConfMs = 2000
/** Of xDS streams and CA calls: two for each proxy. */
const maxControlConnections = 2048

export class Networks {
  /** In a user namespace of our own. */
  readonly rootless: boolean
  readonly #compileCache: string | undefined
  readonly #switch: Switch
  readonly #guard: NetworksParts['guard']
  readonly #closers: readonly (() => void)[]

  private constructor(own: Switch, rootless: boolean, guard: NetworksParts['guard'], closers: readonly (() => void)[]) {
    this.#switch = own
    this.rootless = rootless
    this.#compileCache = compileCacheFolder(rootless)
    this.#guard = guard
    this.#closers = closers
  }

  /** Rejects with one line that says what is missing. */
  static async open({ env, control, guard }: NetworksParts): Promise<Networks> {
    if (process.platform !== 'linux') throw new MeshError('run/netns', `--capture netns needs Linux, this is ${process.platform}: use --capture env`)
    const toolEnv = toolEnvironment(env)
    for (const tool of tools) if (findProgram(tool, toolEnv['PATH']!) === undefined) throw missingTool(tool)
    const options = socketOptions()
    if (options.options === undefined) throw new MeshError('run/netns', `--capture netns has to ask sockets where they were going: ${options.problem}; npm install koffi, or use --capture env`)
    const { own, rootless } = await openSwitch(toolEnv)
    try {
      return new Networks(own, rootless, guard, await serve(own, control, new OriginalDestinations(options.options)))
    } catch (error) {
      await own.close()
      throw error
    }
  }

  /** Undefined: workloads have IPv6; else why not. */
  get noV6(): string | undefined {
    return this.#switch.noV6
  }

  /** All that a workload has, the first one as given. */
  addressesOf(address: string): readonly string[] {
    return this.noV6 === undefined ? [address, processV6(address)] : [address]
  }

  /** What proxies are started with: their settings are on their command lines. */
  proxyEnv(env: NetworksParts['env']): Record<string, string> {
    const cache = this.#compileCache
    return { ...toolEnvironment(env), ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }) }
  }

  /** What comes before a command that shall run between the workloads, as a stranger to them. */
  get entering(): readonly string[] {
    return this.#switch.namespace.entering('network')
  }

  /** The network of one workload, with its own /etc/resolv.conf and /etc/hosts. */
  async workload(files: WorkloadFiles): Promise<Namespace> {
    const cell = await this.#switch.workload(files.addresses[0]!, files.addresses[1])
    try {
      const network = networkOf(cell.pid)
      if (network !== undefined) this.#guard.addNetwork(network)
      await bindFiles(cell, files)
      return cell
    } catch (error) {
      await this.leave(cell)
      throw error
    }
  }

  /** With whatever still runs there. */
  async leave(cell: Namespace): Promise<void> {
    const network = networkOf(cell.pid)
    await cell.close()
    if (network === undefined) return
    killAllIn(network)
    this.#guard.removeNetwork(network)
  }

  async close(): Promise<void> {
    for (const close of this.#closers) close()
    await this.leave(this.#switch.namespace)
  }
}

/** Root of a container often may not make networks, and like any other user may have a user namespace in which it may. */
async function openSwitch(env: Readonly<Record<string, string>>): Promise<{ readonly own: Switch; readonly rootless: boolean }> {
  const parts = { env, ranges: [processRange, bareRange], inside: [serviceRange, serviceEntryRange, '127.0.0.0/8'], v6: { range: processRangeV6, inside: [serviceRangeV6] } }
  const asUser = async (): Promise<{ own: Switch; rootless: true }> => ({ own: await Switch.open({ ...parts, rootless: true }), rootless: true })
  if (process.getuid?.() !== 0) return await asUser()
  try {
    return { own: await Switch.open({ ...parts, rootless: false }), rootless: false }
  } catch (error) {
    if (!hasCode(error, 'netns/permission')) throw error
    return await asUser()
  }
}

async function serve({ namespace, noV6 }: Switch, control: NetworksParts['control'], destinations: OriginalDestinations): Promise<readonly (() => void)[]> {
  const sockets = await socketsOf(namespace, [
    { name: 'control', protocol: 'tcp', address: { host: switchAddress, port: controlPort } },
    { name: 'egress', protocol: 'tcp', address: { host: noV6 === undefined ? '::' : '0.0.0.0', port: egressPort } },
    { name: 'dns', protocol: 'tcp', address: { host: switchAddress, port: dnsPort } },
    { name: 'dns-datagrams', protocol: 'udp', address: { host: switchAddress, port: dnsPort } },
  ])
  const servers = nameServers(systemClock)
  const datagrams = startDatagramRelay({ socket: sockets.get('dns-datagrams') as DatagramSocket, servers })
  const relay = (name: string, target: (from: Socket) => Address | undefined, maxConnections: number): Promise<Relay> =>
    startRelay({ on: { handle: sockets.get(name)! }, target, maxConnections })
  const relays = await Promise.all([
    relay('control', control, maxControlConnections),
    relay('egress', (from) => originalDestination(from, destinations), 10_000),
    // Whoever comes by TCP was mostly told by UDP that there is more.
    relay('dns', () => datagrams.server, 256),
  ])
  return [...relays.map((one) => () => one.close()), () => datagrams.close()]
}

/** This machine's own, which change with the network that it is in. */
function nameServers(clock: Clock): () => readonly Address[] {
  let servers: readonly Address[] = []
  let readAt = Number.NEGATIVE_INFINITY
  return () => {
    if (clock.now() - readAt < resolvConfMs) return servers
    readAt = clock.now()
    const found = [...resolvConf().matchAll(/^nameserver\s+(\S+)/gm)].map(([, host]) => ({ host: host!, port: 53 }))
    return (servers = found.length === 0 ? [{ host: '127.0.0.1', port: 53 }] : found.slice(0, 3))
  }
}

function resolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8')
  } catch {
    return '' // as the C library: then it is on loopback
  }
}

/** What was not led here was sent here: nobody is meant. */
function originalDestination(from: Socket, destinations: OriginalDestinations): Address | undefined {
  const fd = descriptorOf(from)
  const peer = from.remoteAddress ?? ''
  const address = fd === undefined ? undefined : destinations.of(fd, peer.includes(':') && !peer.startsWith('::ffff:'))
  return address?.host === switchAddress || address?.host === switchAddressV6 ? undefined : address
}
