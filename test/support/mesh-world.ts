// A whole proxy below a real control plane, in one process: what a test writes as resources is translated, sent by xDS over
// a real stream, and serves real requests through the proxy's forward proxy (HTTP_PROXY). Without mutual TLS.
import { Agent, request as httpRequest } from 'node:http'
import { worldSource } from '../../src/control/serve/world-source.ts'
import type { World } from '../../src/control/snapshot.ts'
import { WorldState } from '../../src/control/world-state.ts'
import type { Address } from '../../src/model/address.ts'
import type { Resource } from '../../src/model/resource.ts'
import { startProxy } from '../../src/proxy/main.ts'
import type { Proxy } from '../../src/proxy/main.ts'
import { proxySettings } from '../../src/proxy/settings.ts'
import { serveAds } from './ads-world.ts'
import type { AdsWorld } from './ads-world.ts'
import { bookinfo, endpoint, service, workload } from './bookinfo-world.ts'
import { createAuthority } from './certificates.ts'
import { freePort } from './hosts.ts'

export interface ServiceInit {
  readonly name: string
  /** Endpoints by version; each is a label `version`. */
  readonly versions: Readonly<Record<string, Address>>
  readonly more?: Parameters<typeof service>[1]
}

/** A world of these services on port 9080, each at the addresses of its versions. */
export function worldOf(services: readonly ServiceInit[], resources: readonly Resource[]): World {
  const base = bookinfo(...resources)
  const client = base.workloads.find(({ name }) => name === 'productpage')!
  const made = services.map(({ name, versions, more }, i) => {
    const one = service(name, { addresses: [`240.240.1.${i + 1}`], ...more })
    const endpoints = Object.entries(versions).map(([version, { host, port }]) =>
      endpoint(one, workload(`${name}-${version}`, host, { app: name, version }), { port, mutualTls: false }))
    return { one, endpoints }
  })
  return { ...base, services: made.map(({ one }) => one), workloads: [client], endpoints: made.flatMap(({ endpoints }) => endpoints) }
}

export interface Reply {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

const patienceMs = 10_000

export class MeshWorld implements AsyncDisposable {
  readonly state: WorldState
  readonly proxy: Proxy
  readonly #ads: AdsWorld
  readonly #httpPort: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 })

  private constructor(state: WorldState, proxy: Proxy, ads: AdsWorld, httpPort: number) {
    this.state = state
    this.proxy = proxy
    this.#ads = ads
    this.#httpPort = httpPort
  }

  /** `locality`: of the proxy, `region/zone/subzone`. */
  static async start(world: World, locality = ''): Promise<MeshWorld> {
    const state = new WorldState()
    state.update(world)
    const ads = await serveAds(worldSource(state))
    const authority = createAuthority()
    const { chain, key } = authority.issue('URI:spiffe://cluster.local/ns/default/sa/bookinfo-productpage')
    const httpProxyPort = await freePort()
    const settings = proxySettings({
      name: 'productpage', ip: '127.1.0.1', serviceAccount: 'bookinfo-productpage', labels: { app: 'productpage', version: 'v1' },
      discoveryAddress: new URL(ads.url).host, discoveryPlaintext: true, httpProxyPort, adminPort: 0, locality,
    })
    const proxy = await startProxy(settings, { roots: authority.roots, certificates: { chain, key, roots: authority.roots } })
    await proxy.whenReady
    return new MeshWorld(state, proxy, ads, httpProxyPort)
  }

  /** Resolves when the proxy has all of it. */
  async apply(world: World): Promise<void> {
    const { generation } = this.state.update(world)
    const { complete } = await this.state.board.waitFor(generation, patienceMs)
    if (!complete) throw new Error(`generation ${generation} was not taken within ${patienceMs} ms`)
  }

  /** As a workload that has this proxy for its HTTP_PROXY. Status 0: no answer. */
  get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    return new Promise((resolve) => {
      const failed = (error: Error): void => resolve({ status: 0, body: error.message, headers: {} })
      const asked = httpRequest({ host: '127.0.0.1', port: this.#httpPort, path: url, agent: this.#agent, timeout: patienceMs, headers: { host: new URL(url).host, ...headers } }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text)).on('error', failed)
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }))
      })
      asked.once('timeout', () => asked.destroy(new Error('no answer in time')))
      asked.once('error', failed).end()
    })
  }

  /** Names of all that the control plane has for a proxy like this one. */
  resources(typeUrl: string): readonly string[] {
    const session = this.state.connect({ id: 'sidecar~127.1.0.1~twin.default~default.svc.cluster.local', metadata: { LABELS: { app: 'productpage', version: 'v1' } } })
    const names = session.all(typeUrl).map(({ name }) => name)
    session.close()
    return names
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await this.proxy.close()
    await this.#ads[Symbol.asyncDispose]()
  }
}
