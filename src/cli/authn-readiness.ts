// `trysail authn readiness`: which clients STRICT mutual TLS would turn away, from what the proxies have seen. It asks the
// proxies themselves; who an address is, the control plane says where one is known.
import { parseAddress } from '../model/address.ts'
import type { Address } from '../model/address.ts'
import { describe } from '../lib/errors.ts'
import { formatAddress } from '../model/address.ts'
import { asText } from './authn-readiness-text.ts'
import { exitCode } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { fetchJson } from './fetch-json.ts'
import { isRecord, list, record, text } from './json.ts'
import { outputOf, outputOption, print } from './print.ts'
import { findRunning } from './running.ts'
import { UsageError } from './usage-error.ts'

/** `no-traffic`: nobody has come yet, so nothing is known. `no-answer`: its proxy cannot be asked. */
export type Readiness = 'ready' | 'not-ready' | 'no-traffic' | 'no-answer'

export interface PlaintextClient {
  readonly port: number
  readonly address: string
  /** Of the control plane, where it knows the address. */
  readonly workload?: string
  readonly connections: number
  /** Turned away already. */
  readonly refused: number
  readonly last: string
  /** Its own words, which prove nothing. */
  readonly says: readonly string[]
}

export interface WorkloadReadiness {
  readonly workload: string
  readonly admin: string
  readonly readiness: Readiness
  readonly since: string
  /** Connections with a certificate of the mesh. */
  readonly mutual: number
  readonly clients: readonly PlaintextClient[]
  /** Clients that the proxy had no room for. */
  readonly forgotten: number
  /** Why it cannot be asked. */
  readonly problem?: string
}

export const command: Command = {
  summary: 'Says which clients STRICT mutual TLS would turn away, before it does.',
  about: `Every proxy counts the clients of its workload since it started: with a certificate of the mesh, or without. A workload is ready
when nobody came without. Let everything that calls it call it once, jobs of the night too, before you believe it. Exit code 1: a workload
is not ready, or its proxy does not answer.`,
  operands: [{ name: 'NAME', sentence: 'Only this workload: reviews-v1 or reviews-v1.default.' }],
  options: [
    { name: 'proxy', value: 'HOST:PORT', repeats: true, sentence: 'Admin address of a proxy, instead of those that run on this machine.' },
    { name: 'control', value: 'HOST:PORT', sentence: "The control plane's debug address, to name clients by. Default: the one that runs on this machine." },
    outputOption,
  ],
  examples: ['trysail authn readiness', 'trysail authn readiness reviews-v1 -o json'],
  async run(invocation, io) {
    const names = await workloadNames(invocation)
    const asked = await Promise.all(proxiesOf(invocation).map((at) => ask(at, names)))
    const [name] = invocation.operands
    const workloads = asked.flatMap((one) => one ?? []).filter(({ workload }) => name === undefined || workload === name || workload.startsWith(`${name}.`))
    if (workloads.length === 0) throw new UsageError([name === undefined ? 'no proxy of a workload runs on this machine; --proxy names others' : `no proxy of ${name} is known`])
    const ready = workloads.every(({ readiness }) => readiness !== 'not-ready' && readiness !== 'no-answer')
    print(io, outputOf(invocation.text('output')), { ready, workloads }, asText)
    return ready ? exitCode.fine : exitCode.findings
  },
}

interface Place {
  readonly name: string
  readonly admin: Address
}

function proxiesOf(invocation: Invocation): readonly Place[] {
  const given = invocation.list('proxy')
  if (given.length > 0) return given.map((one) => ({ name: one, admin: addressIn('proxy', one) }))
  return findRunning().flatMap(({ proxies }) => proxies.map(({ name, namespace, admin }) => ({ name: `${name}.${namespace}`, admin })))
}

function addressIn(option: string, given: string): Address {
  const address = parseAddress(given)
  if (address === undefined) throw new UsageError([`--${option} must be HOST:PORT, not ${JSON.stringify(given)}`])
  return address
}

/** By address. Without a control plane there are none: the report is as true, only harder to read. */
async function workloadNames(invocation: Invocation): Promise<ReadonlyMap<string, string>> {
  const given = invocation.text('control')
  const at = given === undefined ? findRunning().flatMap(({ debug }) => debug ?? [])[0] : addressIn('control', given)
  if (at === undefined) return new Map()
  const workloads = list(await fetchJson(at, '/debug/workloadz')).map(record)
  return new Map(workloads.flatMap((one) => list(one['addresses']).map((address) => [text(address), `${text(one['name'])}.${text(one['namespace'])}`] as const)))
}

/** Undefined for gateways: PeerAuthentication does not hold for them. */
async function ask({ name, admin }: Place, names: ReadonlyMap<string, string>): Promise<WorkloadReadiness | undefined> {
  const at = formatAddress(admin)
  try {
    const node = text(record(record(await fetchJson(admin, '/server_info'))['node'])['id']).split('~')
    if (node[0] === 'router') return undefined
    return readinessOf(node[2] ?? name, at, record(await fetchJson(admin, '/inbound_peers')), names)
  } catch (error) {
    return { workload: name, admin: at, readiness: 'no-answer', since: '', mutual: 0, clients: [], forgotten: 0, problem: describe(error) }
  }
}

function readinessOf(workload: string, admin: string, seen: ReturnType<typeof record>, names: ReadonlyMap<string, string>): WorkloadReadiness {
  const mutual = list(seen['ports']).reduce<number>((sum, port) => sum + count(port, 'mutual'), 0)
  const clients = list(seen['plaintext']).map((one) => clientOf(record(one), names))
  const forgotten = count(seen, 'forgotten')
  const served = clients.some(({ connections }) => connections > 0) || forgotten > 0
  const readiness = served ? 'not-ready' : mutual === 0 ? 'no-traffic' : 'ready'
  return { workload, admin, readiness, since: text(seen['since']), mutual, clients, forgotten }
}

function clientOf(one: ReturnType<typeof record>, names: ReadonlyMap<string, string>): PlaintextClient {
  const address = text(one['address'])
  const workload = names.get(address)
  return {
    port: count(one, 'port'), address, ...(workload === undefined ? {} : { workload }),
    connections: count(one, 'connections'), refused: count(one, 'refused'), last: text(one['last']), says: list(one['says']).map(text),
  }
}

function count(of: unknown, field: string): number {
  const value = isRecord(of) ? of[field] : undefined
  return typeof value === 'number' ? value : 0
}
