// Where traffic comes to a proxy: by the kernel's redirect; or, where nothing redirects, for a sidecar by addresses that stand
// for the workload and for what it calls, for a gateway by its ports on this machine. As settings, and as the agent's capture.
import type { Tap } from '../agent/env-capture.ts'
import { EnvCapture } from '../agent/env-capture.ts'
import { NetfilterCapture } from '../agent/capture/netfilter-capture.ts'
import { GatewayPorts } from '../agent/gateway-ports.ts'
import { MeshError } from '../lib/errors.ts'
import { choice, integer, list } from '../lib/settings.ts'
import type { SettingsOf } from '../lib/settings.ts'
import type { Address } from '../model/address.ts'
import { formatAddress, parseAddress } from '../model/address.ts'
import { freePort, reservePort } from '../net/reserve-port.ts'
import type { Listen } from '../net/listen-set.ts'
import { isName } from '../net/resolve.ts'
import type { Capture } from '../proxy/main.ts'
import type { ProxySettings } from '../proxy/settings.ts'

export const placesTable = {
  capture: choice(['taps', 'netfilter'], 'taps', "How a sidecar's traffic comes to it: by --inbound and --outbound, or all of it by the kernel, with the rules of 'trysail agent capture'."),
  proxyMark: integer(0, "With --capture netfilter: mark of the proxy's own packets, where its user does not tell them from others' (proxyMarks of the rules). 0: none."),
  inbound: list('LISTEN=APP', 'Sidecar: what peers send to LISTEN goes through it to APP, as in 10.0.0.7:9080=127.0.0.1:8080.'),
  outbound: list('LISTEN=HOST:PORT', 'Sidecar: what is sent to LISTEN goes to a service, as in 127.0.0.1:9001=reviews:9080.'),
  gatewayPort: list('PORT=LISTEN', 'Gateway: where the listener of PORT stands, as in 80=127.0.0.1:8080. Without it: on all addresses.'),
}

/** One way in: `--inbound 10.0.0.7:9080=127.0.0.1:8080`. */
interface Place {
  readonly option: string
  readonly listen: Address
  readonly goal: Address
}

export interface Places {
  readonly inbound: readonly Place[]
  readonly outbound: readonly Place[]
  /** By port of the Gateway. */
  readonly gateway: ReadonlyMap<number, Address>
  /** The kernel brings everything; the mark of our own packets, or 0. */
  readonly netfilter?: { readonly mark: number } | undefined
}

/** Adds what is wrong to `mistakes`. */
export function placesOf({ capture, proxyMark, inbound, outbound, gatewayPort }: SettingsOf<typeof placesTable>, { type, ip }: ProxySettings, mistakes: string[]): Places {
  const netfilter = capture === 'netfilter' ? { mark: proxyMark } : undefined
  if (netfilter !== undefined) mistakes.push(...netfilterMistakes(inbound.length + outbound.length, type, ip))
  const misplaced = type === 'router' ? { inbound, outbound } : { 'gateway-port': gatewayPort }
  for (const [name, given] of Object.entries(misplaced)) {
    if (given.length > 0) mistakes.push(`--${name} is for a ${type === 'router' ? 'sidecar' : 'router'}, this proxy is a ${type}`)
  }
  const places = {
    inbound: inbound.flatMap((text) => placeOf('inbound', text, mistakes)),
    outbound: outbound.flatMap((text) => placeOf('outbound', text, mistakes)),
    gateway: new Map(gatewayPort.flatMap((text) => gatewayPortOf(text, mistakes))),
    netfilter,
  }
  mistakes.push(...contradictions(places))
  return places
}

function netfilterMistakes(places: number, type: string, ip: string): readonly string[] {
  return [
    ...(type === 'router' ? ['--capture netfilter is for a sidecar, this proxy is a router'] : []),
    ...(places > 0 ? ['--capture netfilter brings all traffic: --inbound and --outbound are for --capture taps'] : []),
    ...(ip === '127.0.0.1' || ip === '::1' ? ['--capture netfilter needs --ip (INSTANCE_IP): the address by which peers reach the workload, not the loopback'] : []),
  ]
}

function placeOf(name: 'inbound' | 'outbound', text: string, mistakes: string[]): Place[] {
  const [left = '', right = ''] = text.split('=')
  const listen = parseAddress(left)
  const goal = parseAddress(right)
  if (listen !== undefined && goal !== undefined && !isName(listen) && goal.port > 0) return [{ option: `--${name} ${text}`, listen, goal }]
  mistakes.push(`--${name} must be ${placesTable[name].type} such as ${name === 'inbound' ? '10.0.0.7:9080=127.0.0.1:8080' : '127.0.0.1:9001=reviews:9080'}, not ${JSON.stringify(text)}`)
  return []
}

function gatewayPortOf(text: string, mistakes: string[]): [number, Address][] {
  const [left = '', right = ''] = text.split('=')
  const listen = parseAddress(right)
  const port = Number(left)
  if (/^\d{1,5}$/.test(left) && port > 0 && port <= 65_535 && listen !== undefined && !isName(listen)) return [[port, listen]]
  mistakes.push(`--gateway-port must be PORT=LISTEN such as 80=127.0.0.1:8080, not ${JSON.stringify(text)}`)
  return []
}

function contradictions({ inbound, outbound, gateway }: Places): string[] {
  const ports = inbound.map(({ listen }) => listen.port)
  const wanted = [...inbound, ...outbound].map(({ listen }) => listen).concat([...gateway.values()]).filter(({ port }) => port > 0).map(formatAddress)
  return [
    ...inbound.filter(({ listen }) => listen.port === 0).map(({ option }) => `${option}: peers have to know the port, it cannot be 0`),
    ...inbound.filter(({ listen, goal }) => formatAddress(listen) === formatAddress(goal)).map(({ option }) => `${option}: the application has to listen elsewhere than its sidecar`),
    ...[...new Set(ports.filter((port, i) => port > 0 && ports.indexOf(port) !== i))].map((port) => `--inbound takes port ${port} of the workload more than once`),
    ...[...new Set(wanted.filter((at, i) => wanted.indexOf(at) !== i))].map((at) => `${at} is to be listened on more than once`),
  ]
}

export interface Placed {
  readonly capture: Capture
  /** One sentence for each way in. */
  readonly sentences: readonly string[]
}

/** Threads have to agree on ports: any free one is chosen here, for all of them. */
export async function withPorts({ inbound, outbound, gateway, netfilter }: Places): Promise<Places> {
  const fixed = async (address: Address): Promise<Address> => (address.port > 0 ? address : { host: address.host, port: await freePort() })
  return {
    inbound, netfilter,
    outbound: await Promise.all(outbound.map(async (place) => ({ ...place, listen: await fixed(place.listen) }))),
    gateway: new Map(await Promise.all([...gateway].map(async ([port, at]): Promise<[number, Address]> => [port, await fixed(at)]))),
  }
}

/** Where others listen that this thread serves with, or for. */
export interface Held {
  readonly listen: Listen
  /** Somebody of ours listens there already. */
  holds(address: Address): boolean
}

/** Throws `cli/port-taken` for a port that another process has, before anything is started. */
export async function placeProxy({ inbound, outbound, gateway, netfilter }: Places, { type, ip, instanceIps }: ProxySettings, held?: Held): Promise<Placed> {
  if (netfilter !== undefined) return { capture: new NetfilterCapture({ probes: [...new Set([ip, ...instanceIps])], mark: netfilter.mark }), sentences: ['all traffic comes to it by the kernel'] }
  if (type === 'router') return { capture: new GatewayPorts((port) => gateway.get(port) ?? { host: '0.0.0.0', port }, new Map()), sentences: [] }
  const taps: Tap[] = []
  const sentences: string[] = []
  for (const place of [...inbound, ...outbound]) {
    const { tap, at } = await tapOf(place, inbound.includes(place) ? ip : undefined, held)
    taps.push(tap)
    sentences.push(`${tap.direction}: ${formatAddress(at)} leads to ${formatAddress(place.goal)}`)
  }
  const byOwnAddress = (place: (one: Place) => Address) => new Map(inbound.map((one) => [formatAddress({ host: ip, port: one.listen.port }), place(one)]))
  return { capture: new EnvCapture(taps, byOwnAddress(({ listen }) => listen), byOwnAddress(({ goal }) => goal), held?.listen), sentences }
}

/** A name stands for no address: nothing but a route can lead on from here, since nobody can be dialled there. */
const nowhere = '255.255.255.255'

async function tapOf({ option, listen, goal }: Place, workload: string | undefined, held: Held | undefined): Promise<{ tap: Tap; at: Address }> {
  if (held?.holds(listen) === true) return { at: listen, tap: tapFor({ listen, goal }, { address: listen }, workload) }
  const { server, address, release } = await reservePort(listen.host, listen.port).catch((cause: unknown) => {
    throw new MeshError('cli/port-taken', `cannot listen for ${option}`, cause)
  })
  // Until the proxy serves, clients are to be refused, not to wait: they may have others to go to.
  if (listen.port > 0) release()
  const on = listen.port > 0 ? { address: listen } : { server }
  return { at: address, tap: tapFor({ listen, goal }, on, workload) }
}

function tapFor({ listen, goal }: Pick<Place, 'listen' | 'goal'>, on: Tap['listen'], workload: string | undefined): Tap {
  if (workload !== undefined) return { listen: on, direction: 'inbound', originalDestination: { host: workload, port: listen.port } }
  const originalDestination = isName(goal) ? { host: nowhere, port: goal.port } : goal
  return { listen: on, direction: 'outbound', originalDestination, authority: formatAddress(goal) }
}
