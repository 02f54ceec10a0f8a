// A whole proxy with a scripted control plane and plain addresses as upstream: what main wires, without HTTP.
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { hostAt } from './hosts.ts'
import type { Address } from '../../src/model/address.ts'
import { connect } from '../../src/net/connect.ts'
import type { Capture } from '../../src/proxy/listen/capture.ts'
import { compileRoutes } from '../../src/proxy/http/router/compile.ts'
import { runProxy } from '../../src/proxy/running-proxy.ts'
import type { Proxy, ProxyParts, XdsStream } from '../../src/proxy/proxy-parts.ts'
import type { XdsUpdate } from '../../src/proxy/main-updates.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import type { ProxySettings } from '../../src/proxy/settings.ts'
import type { Secrets } from '../../src/proxy/identity/secrets.ts'
import type { TransportWaiter } from '../../src/proxy/upstream/types.ts'
import type { AccessLogEntry } from '../../src/telemetry/access-log-entry.ts'
import type { Cluster } from '../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'

type Named = { readonly name: string } | { readonly clusterName: string }

/** The other end of the stream: sends what a test tells it to. */
class ScriptedControl {
  readonly subscribed = new Map<string, readonly string[]>()
  readonly nacks: string[] = []
  #onUpdate: (update: XdsUpdate) => string | undefined = () => undefined
  #version = 0
  closed = false

  open(onUpdate: (update: XdsUpdate) => string | undefined): XdsStream {
    this.#onUpdate = onUpdate
    return { subscribe: (typeUrl, names) => void this.subscribed.set(typeUrl, names), mention: () => {}, close: () => void (this.closed = true) }
  }

  send<Schema extends DescMessage>(schema: Schema, messages: readonly MessageShape<Schema>[], removed: readonly string[] = []): void {
    const version = String(++this.#version)
    const resources = messages.map((message) => ({ name: nameOf(message as unknown as Named), version, any: anyPack(schema, message) }))
    const nack = this.#onUpdate({ typeUrl: `type.googleapis.com/${schema.typeName}`, version, resources, removed })
    if (nack !== undefined) this.nacks.push(nack)
  }

  sendBytes(typeUrl: string, name: string, value: Uint8Array): void {
    const nack = this.#onUpdate({ typeUrl, version: 'x', removed: [], resources: [{ name, version: 'x', any: { $typeName: 'google.protobuf.Any', typeUrl, value } }] })
    if (nack !== undefined) this.nacks.push(nack)
  }
}

const nameOf = (message: Named): string => ('clusterName' in message ? message.clusterName : message.name)

export interface ProxyWorld extends AsyncDisposable {
  readonly proxy: Proxy
  readonly control: ScriptedControl
  readonly logs: string[]
  readonly entries: AccessLogEntry[]
}

const noIdentity: Secrets = { certificate: () => undefined, trust: () => undefined, onChange: () => () => {} }

export interface ProxyWorldOptions {
  readonly settings?: Partial<ProxySettings>
  readonly upstreams: Readonly<Record<string, Address>>
  readonly identity?: Secrets
  readonly capture?: Capture
  /** Others than this world's own. */
  readonly parts?: Partial<ProxyParts>
}

export async function startProxyWorld({ settings = {}, upstreams, identity = noIdentity, capture, parts = {} }: ProxyWorldOptions): Promise<ProxyWorld> {
  const control = new ScriptedControl()
  const logs: string[] = []
  const entries: AccessLogEntry[] = []
  const known = new Set<string>()
  const proxy = await runProxy(proxySettings({ name: 'web', adminPort: 0, ...settings }), {
    identity,
    ...(capture === undefined ? {} : { capture }),
    openStream: (_node, onUpdate) => control.open(onUpdate),
    openUpstream: () => ({
      update(clusters: readonly Cluster[]) {
        known.clear()
        for (const { name } of clusters) known.add(name)
      },
      updateEndpoints() {},
      lookup: (name) => (known.has(name) ? addressCluster(name, upstreams[name]) : undefined),
      statuses: () => [...known].map((name) => ({ name, assignmentName: '', hosts: [] })),
      close() {},
    }),
    compileRoutes,
    compileHttp: () => { throw new Error('this world only forwards bytes') },
    onConnectionEnd: (entry) => entries.push(entry),
    log: (line) => logs.push(line),
    ...parts,
  })
  return { proxy, control, logs, entries, [Symbol.asyncDispose]: () => proxy.close() }
}

function addressCluster(name: string, address: Address | undefined) {
  return {
    name, service: undefined, connectTimeoutMs: 1000,
    chooseHost: () => (address === undefined ? undefined : hostAt(address)),
    request: () => { throw new Error('this cluster only forwards bytes') }, tryRetry: () => true, retryDone() {},
    connect: (host: { address: Address }, waiter: TransportWaiter) =>
      connect({ address: host.address, timeoutMs: 1000 }, (error, transport) => {
        if (transport === undefined) waiter.onFailure('connection-failure', error!.message)
        else waiter.onTransport(transport)
      }),
  }
}
