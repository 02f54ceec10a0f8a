// `trysail authz check`: which AuthorizationPolicies hold at a workload, and what each of them says of a request. The
// policies are found as the control plane finds them, and asked as the workload's proxy asks them.
import type { AuthorizationPolicy } from '../control/snapshot/authorization.ts'
import { inboundPorts, peerOf } from '../control/translate/inbound-ports.ts'
import { virtualInbound } from '../control/translate/names.ts'
import { isDryRun } from '../control/translate/security/authorization.ts'
import { typeUrls } from '../control/translate/table.ts'
import type { ProxySession } from '../control/world-state.ts'
import { takesConnection, tokenDenial } from '../proxy/explain.ts'
import type { Denial, PolicyVerdict } from '../proxy/explain.ts'
import { exitCode } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { asText } from './authz-check-text.ts'
import { authorizationAt } from './explain/authorization.ts'
import { findClient } from './explain/client.ts'
import { fileOption } from './file-option.ts'
import { readOffline } from './offline.ts'
import { outputOf, outputOption, print } from './print.ts'
import { parseRequest } from './request-line.ts'
import type { AskedRequest } from './request-line.ts'
import { keysNote, tokenOptions, tokenText, withToken, withToldToken } from './token-options.ts'
import { UsageError } from './usage-error.ts'

export interface HeldPolicy {
  readonly action: string
  /** `namespace/name`. */
  readonly policy: string
  readonly rules: number
  /** Tried only: it changes nothing. */
  readonly dryRun: boolean
  readonly file: string
  readonly line: number
}

export interface CheckedRequest {
  readonly port: number
  /** What the client proves; null for plaintext. */
  readonly principal: string | null
  readonly allowed: boolean
  readonly denied: Denial | null
  /** What its token says of itself, good or not; null without one that can be read. */
  readonly token: string | null
  readonly verdicts: readonly PolicyVerdict[]
}

export interface AuthzAnswer {
  readonly workload: string
  readonly policies: readonly HeldPolicy[]
  /** Null when no request was asked about. */
  readonly request: CheckedRequest | null
}

export const command: Command = {
  summary: 'Shows the AuthorizationPolicies of a workload, and what they decide.',
  about: `Lists the policies that hold at a workload or gateway, in the order in which they decide. With --request it says what each of their
rules makes of it, and why; exit code 1: it is denied. The port of the URL is the workload's own, not that of a Service.
Tokens are verified, by keys in the files or those of --jwks; nothing is sent anywhere.`,
  operands: [{ name: 'NS/WORKLOAD', required: true, sentence: 'A Pod, Process, Deployment or Gateway.' }],
  options: [
    fileOption,
    { name: 'request', value: "'METHOD URL'", sentence: "What comes to it: 'GET http://reviews:9080/reviews/1', 'TCP db:5432'." },
    { name: 'from', value: 'NS/WORKLOAD', sentence: 'Whose certificate the client shows. Without it, it shows none.' },
    { name: 'header', short: 'H', value: "'NAME: VALUE'", repeats: true, sentence: 'A header of the request.' },
    ...tokenOptions,
    outputOption,
  ],
  examples: ["trysail authz check -f mesh/ default/reviews-v1", "trysail authz check -f mesh/ default/reviews-v1 --from default/productpage-v1 --request 'GET http://reviews:9080/reviews/1'"],
  async run(invocation, io) {
    const asked = askedIn(invocation)
    const { state, deployments } = await readOffline({ ...invocation, operands: [] }, io)
    const client = findClient(state.snapshot, deployments, invocation.operands[0] ?? '')
    const session = state.connect(client.node)
    const found = state.snapshot.authorizations.of(peerOf(session.node, state.snapshot), session.node.type)
    const from = invocation.text('from')
    const visitor = from === undefined ? undefined : state.connect(findClient(state.snapshot, deployments, from).node).node
    const principal = visitor === undefined ? null : `${state.snapshot.mesh.trustDomain}/ns/${visitor.namespace}/sa/${visitor.serviceAccount}`
    const answer: AuthzAnswer = {
      workload: client.name,
      policies: found.map(held).sort((one, other) => order.indexOf(one.action) - order.indexOf(other.action)),
      request: asked === undefined ? null : await check(session, asked, principal, visitor?.addresses[0], inboundPorts(session.node, state.snapshot)[0]?.targetPort),
    }
    const note = asked === undefined ? undefined : keysNote(asked, state.snapshot)
    if (note !== undefined) io.stderr(`${note}\n`)
    print(io, outputOf(invocation.text('output')), answer, asText)
    return answer.request?.allowed === false ? exitCode.findings : exitCode.fine
  },
}

/** In which they decide. */
const order: readonly string[] = ['CUSTOM', 'AUDIT', 'DENY', 'ALLOW']

function askedIn(invocation: Invocation): AskedRequest | undefined {
  const line = invocation.text('request')
  if (line !== undefined) return withToken(parseRequest(line, invocation.list('header')), invocation.text('token'))
  if (invocation.list('header').length > 0 || invocation.text('from') !== undefined || invocation.text('token') !== undefined) throw new UsageError(['--header, --from and --token are of a request: say which, with --request'])
  return undefined
}

const held = (policy: AuthorizationPolicy): HeldPolicy => ({
  action: policy.spec.action, policy: `${policy.metadata.namespace}/${policy.metadata.name}`, rules: policy.spec.rules.length, dryRun: isDryRun(policy),
  file: policy.origin.file, line: policy.origin.line,
})

/** At a gateway every listener has the same policies: any will do. */
function listenerOf(session: ProxySession): Uint8Array | undefined {
  return (session.get(typeUrls.LDS, virtualInbound) ?? session.all(typeUrls.LDS)[0])?.bytes
}

async function check(session: ProxySession, asked: AskedRequest, principal: string | null, sourceIp = '127.0.0.1', firstPort = 80): Promise<CheckedRequest> {
  const listener = listenerOf(session)
  if (listener === undefined) throw new UsageError(['it has no listener that anything could come to'])
  const port = asked.port ?? firstPort
  const bare = asked.scheme === 'tcp' || asked.scheme === 'tls'
  const connection = {
    destination: { host: session.node.addresses[0] ?? '127.0.0.1', port }, source: { host: sourceIp, port: 0 },
    transport: principal === null ? 'raw_buffer' as const : 'tls' as const, serverName: principal === null ? '' : asked.host,
    applicationProtocols: principal === null ? bare ? [] : ['http/1.1'] : [bare ? 'istio-peer-exchange' : 'istio-http/1.1', 'istio'],
  }
  const arriving = {
    identities: principal === null ? undefined : [`spiffe://${principal}`], serverName: connection.serverName, sourceIp, remoteIp: sourceIp, destination: connection.destination,
    request: bare ? undefined : { method: asked.method, authority: asked.authority, path: asked.path, headers: asked.headers.map(([name, value]) => [name.toLowerCase(), value] as const) },
  }
  const authorization = authorizationAt(listener)
  const closed: Denial | null = takesConnection(listener, connection, principal !== null) ? null : { policy: 'PeerAuthentication', rule: null, reason: 'no filter chain takes such a connection: it is closed' }
  const presented = closed === null ? await authorization.tokens(connection, arriving) : undefined
  const token = tokenText(asked, Date.now()) ?? null
  const known = { ...arriving, metadata: presented?.metadata }
  const denied = closed ?? (presented?.refusal === undefined ? authorization.denial(connection, known) : tokenDenial(withToldToken(presented.refusal.reason, asked))) ?? null
  return { port, principal, allowed: denied === null, denied, token, verdicts: authorization.verdicts(connection, known) }
}
