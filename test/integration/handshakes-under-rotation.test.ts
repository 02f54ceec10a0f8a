// Many handshakes while the certificates of both ends are replaced every few seconds: none may fail. Our own inbound, our own
// CA, our own client, real sockets. 10,000 take a minute on a busy machine: TRYSAIL_TEST_HANDSHAKES=10000 asks for them.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { openCa } from '../../src/control/ca/ca.ts'
import { createBootstrapTokens } from '../../src/control/ca/tokens.ts'
import { certificateService } from '../../src/control/serve/ca.ts'
import { startGrpcServer } from '../../src/control/serve/grpc.ts'
import { createClientTls } from '../../src/net/tls.ts'
import type { ClientTls } from '../../src/net/tls.ts'
import { openIdentity } from '../../src/proxy/identity/identity.ts'
import type { Identity } from '../../src/proxy/identity/identity.ts'
import { freePort } from '../support/hosts.ts'
import { ListenerWorld } from '../support/listener-world.ts'
import { mutualTls, tcpChain, tcpListener } from '../support/xds-messages.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { scriptedPeer } from '../support/http-peers.ts'
import { shake } from '../support/shake.ts'

const wanted = Number(process.env['TRYSAIL_TEST_HANDSHAKES'] ?? 1500)
const leastRenewals = 3
/** Half of it is what a busy machine has for a renewal. */
const lifetimeMs = wanted > 5000 ? 10_000 : 3000
const atATime = 16

async function startCa() {
  const folder = await TempFolder.create()
  const ca = await openCa({ stateDir: folder.path, trustDomain: 'cluster.local' })
  const tokens = await createBootstrapTokens({ stateDir: folder.path })
  const certificate = ca.serverCertificate()
  const server = await startGrpcServer({
    methods: [certificateService({ ca, tokens, log: () => {} })], tls: { address: { host: '127.0.0.1', port: 0 }, identity: certificate },
  })
  const identity = async (serviceAccount: string): Promise<Identity> => {
    const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount }
    const opened = openIdentity({ id, lifetimeMs, ca: { address: server.tlsAddress!, tls: { roots: ca.roots, serverName: '' } }, bearer: () => tokens.create(id, 60_000) })
    await opened.whenReady
    return opened
  }
  return {
    identity,
    async [Symbol.asyncDispose]() {
      certificate.close()
      await server.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** The newest certificate, as a context that is made once for each; counts them. */
function contextsOf(identity: Identity): { current(): ClientTls; readonly serials: ReadonlySet<string> } {
  const serials = new Set<string>()
  let made: { readonly chain: string; readonly tls: ClientTls } | undefined
  return {
    serials,
    current() {
      const certificate = identity.certificate('default')!
      if (made?.chain === certificate.chain) return made.tls
      serials.add(new X509Certificate(certificate.chain).serialNumber)
      made = { chain: certificate.chain, tls: createClientTls({ certificate, trust: identity.trust('ROOTCA')! }) }
      return made.tls
    },
  }
}

test('no handshake fails while certificates of both ends are renewed every few seconds', { timeout: 300_000 }, async () => {
  await using ca = await startCa()
  const [server, client] = await Promise.all([ca.identity('server'), ca.identity('client')])
  await using greeter = await scriptedPeer((socket) => socket.end('.'))
  await using world = new ListenerWorld({ secrets: server, clusters: { greeter: greeter.address } })
  const port = await freePort()
  await world.serve(tcpListener('strict', '127.0.0.1', port, { filterChains: [tcpChain('mtls', 'greeter', {}, mutualTls())] }))
  const shown = contextsOf(client)
  const served = contextsOf(server)
  const failures: string[] = []
  let done = 0
  const worker = async (): Promise<void> => {
    while (done < wanted || shown.serials.size <= leastRenewals || served.serials.size <= leastRenewals) {
      done++
      served.current()
      const failure = await shake(port, shown.current())
      if (failure !== undefined) failures.push(failure)
    }
  }
  await Promise.all(Array.from({ length: atATime }, worker))
  client.close()
  server.close()
  const refused = world.refused.map(({ refusal, detail }) => `${refusal} ${detail}`)
  assert.deepEqual([failures.slice(0, 5), refused.slice(0, 5)], [[], []], `${failures.length} of ${done} failed, ${refused.length} were refused`)
  assert.ok(done >= wanted)
})
