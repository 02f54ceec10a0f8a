// Certificates that live for seconds are renewed under load: serial numbers change, identities stay, and neither the
// sidecars' connections nor one of a foreign client is dropped.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, get } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { setTimeout as pause } from 'node:timers/promises'
import { createAuthority } from '../support/certificates.ts'
import { HttpLoad } from '../support/http-load.ts'
import { ProcessMesh, startApp } from '../support/process-mesh.ts'

const identityOf = (serviceAccount: string): string => `spiffe://cluster.local/ns/default/sa/${serviceAccount}`

test('certificates of four seconds are renewed under load without a lost request or connection', { timeout: 60_000 }, async () => {
  const authority = createAuthority('mesh root')
  await using app = await startApp()
  await using mesh = await ProcessMesh.create()
  mesh.takeRoot(authority)
  const control = await mesh.startControl('--certificate-lifetime', '4s')
  await mesh.rootsFile()
  const flags = ['--certificate-lifetime', '4s']
  const [reviews, productpage, gateway] = await Promise.all([mesh.startReviews(app.at, { flags }), mesh.startProductpage({ flags }), mesh.startGateway({ flags })])
  await reviews.saying(/info +serves/)

  await using foreign = new ForeignClient(`https://${mesh.net}.2:9080/`, authority)
  await using load = new HttpLoad([productpage.url, gateway.url])
  const serials = new Set<string>()
  const issued = (): string[] => [...control.output.matchAll(/certificate (\w+) issued to \S+\/reviews .* by its (?:token|client certificate)/g)].map(([, serial]) => serial!)
  const until = Date.now() + 30_000
  while (issued().length < 4 || serials.size < 3) {
    assert.ok(Date.now() < until, `four certificates of reviews, three of them seen; there are ${issued().length} and ${serials.size}:\n${control.output}`)
    await foreign.ask()
    serials.add(await foreign.serverSerial())
    await pause(200)
  }
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.equal(new Set(issued()).size, issued().length, 'a serial number of its own for each')
  assert.deepEqual([foreign.connections, foreign.failures], [1, []])
  assert.deepEqual([...app.callers].sort(), ['foreign', 'ingress', 'productpage'].map(identityOf))
  for (const { output } of [reviews, productpage.proxy, gateway.proxy]) assert.doesNotMatch(output, /warning|error/)
})

/** Node's own client with a certificate that openssl made, on one connection. */
class ForeignClient implements AsyncDisposable {
  readonly failures: string[] = []
  readonly #url: string
  readonly #tls
  readonly #agent: Agent
  #sockets = new Set<TLSSocket>()

  constructor(url: string, authority: ReturnType<typeof createAuthority>) {
    const { chain, key } = authority.issue(`URI:${identityOf('foreign')}`)
    this.#url = url
    // Whom it talks to is in the SPIFFE id, which is read below: the names of hosts are in no certificate.
    this.#tls = { cert: chain, key, ca: authority.roots, checkServerIdentity: () => undefined }
    this.#agent = new Agent({ ...this.#tls, keepAlive: true, maxSockets: 1 })
  }

  get connections(): number {
    return this.#sockets.size
  }

  async ask(): Promise<void> {
    const { socket, status } = await this.#get(this.#agent)
    this.#sockets.add(socket)
    if (status !== 200) this.failures.push(String(status))
  }

  /** Of the certificate that a new connection is shown. */
  async serverSerial(): Promise<string> {
    using agent = Object.assign(new Agent({ ...this.#tls, keepAlive: true }), { [Symbol.dispose]: () => agent.destroy() })
    const { certificate } = await this.#get(agent)
    assert.equal(certificate.subjectaltname, `URI:${identityOf('reviews')}`)
    return certificate.serialNumber
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    return Promise.resolve()
  }

  async #get(agent: Agent) {
    const [response] = (await once(get(this.#url, { agent }), 'response')) as [IncomingMessage]
    const socket = response.socket as TLSSocket
    const certificate = socket.getPeerCertificate()
    response.resume()
    await once(response, 'end')
    return { socket, certificate, status: response.statusCode }
  }
}
