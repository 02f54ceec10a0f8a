// The answer of `trysail explain` for people: what matched and where it stands, what happens to the request, and why the
// near ones were not taken. Short: what is not so is not said.
import type { Answer } from './answer.ts'

type Line = readonly [label: string, text: string]

export function explainText(answer: Answer): string {
  const { from, request, considered } = answer
  const lines = [...named(answer), ...matched(answer), ...outcome(answer), ...treatment(answer), ...way(answer)]
  const width = Math.max(...lines.map(([label]) => label.length))
  return [
    `${requestLine(request)} from ${from}`,
    '',
    ...lines.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`),
    ...(considered.length === 0 ? [] : ['', 'Not taken:', ...considered.map(({ route, whyNot }) => `  ${route}\n    ${whyNot}`)]),
    '',
  ].join('\n')
}

/** `GET http://reviews:9080/reviews/1`, `TCP db:5432`. */
export function requestLine({ method, scheme, authority, path }: Answer['request']): string {
  return scheme === 'tcp' || scheme === 'tls' ? `${method} ${authority}` : `${method} ${scheme}://${authority}${path}`
}

/** Many addresses of a headless service would fill the screen. */
const shownAddresses = 4

function named({ request, resolvesTo }: Answer): Line[] {
  if (resolvesTo === null || resolvesTo.length === 0) return []
  const more = resolvesTo.length > shownAddresses ? ` and ${resolvesTo.length - shownAddresses} more` : ''
  return [['name', `${request.host} is ${resolvesTo.slice(0, shownAddresses).join(', ')}${more}, where look-ups are captured`]]
}

function matched({ matchedVirtualService, routeIndex, matchIndex, routeName, origin, listener, virtualHost, protocol }: Answer): Line[] {
  const at = origin === null ? '' : ` (${origin.file}:${origin.line})`
  if (matchedVirtualService !== null) {
    const match = matchIndex === null ? '' : `.match[${matchIndex}]`
    const named = routeName === null ? '' : ` "${routeName}"`
    const rule = routeIndex === null ? '' : ` ${protocol ?? 'http'}[${routeIndex}]${match}`
    return [['matched', `VirtualService ${matchedVirtualService}${rule}${named}${at}`]]
  }
  if (listener === null) return [['matched', 'nothing listens where the request goes']]
  if (protocol === null) return [['matched', 'no filter chain of the listener']]
  if (origin !== null) return [['matched', `no VirtualService: the service's own route${at}`]]
  return [['matched', virtualHost === null ? 'no virtual host' : 'no VirtualService']]
}

function outcome(answer: Answer): Line[] {
  const { destinations, redirect, directResponse, denied, status, passthrough, blocked, policy, endpoints } = answer
  const lines: Line[] = destinations.map(({ host, port, subset, weight, cluster }): Line =>
    ['goes to', passthrough ? passedTo(endpoints) : `${host}:${port ?? ''}${subset === null ? '' : ` subset ${subset}`}${destinations.length > 1 ? `, weight ${weight}` : ''}  [${cluster}]`])
  if (redirect !== null) lines.push(['answers', `redirect ${redirect.code} to ${redirect.scheme ?? 'the same scheme'}, ${redirect.authority ?? 'the same host'}${redirect.port === null ? '' : `:${redirect.port}`}, ${redirect.path}`])
  if (directResponse !== null) lines.push(['answers', `${directResponse.status} ${JSON.stringify(directResponse.body)}`])
  if (blocked) lines.push(['blocked', 'nobody declared the host, and only declared ones may be called (REGISTRY_ONLY)'])
  if (denied !== false && denied !== null) lines.push(['denied', `by ${denied.policy.replace('/', ' ')}: ${denied.reason}`])
  if (status !== null && redirect === null && directResponse === null) lines.push(['answers', `${status}${reasonOf(answer)}`])
  if (policy?.endpoints === 0) lines.push(['endpoints', 'none takes requests: the answer would be 503 with flag UH'])
  return lines
}

/** By its address, an endpoint that the proxy knows is spoken to as by its service. */
function passedTo([known]: Answer['endpoints']): string {
  if (known === undefined) return 'the address that the client asked for: nobody declared the host'
  const [, port, subset, host] = known.cluster.split('|')
  const of = host === undefined ? known.cluster : `${host}:${port}${subset === '' ? '' : ` subset ${subset}`}`
  return `the address that the client asked for: known mesh endpoint of ${of}${known.workload === null ? '' : ` (${known.workload})`}, mutual TLS`
}

function reasonOf({ status, destinations, faults, virtualHost, denied, blocked }: Answer): string {
  if (faults?.abort?.percentage === 100) return ', by the fault of the route'
  if (blocked || (denied !== false && denied !== null)) return ''
  if (status === 404) return virtualHost === null ? ': no virtual host covers the host (flag NR)' : ': no route matches (flag NR)'
  return destinations.length > 0 ? ': there is no such cluster (flag NC); is the host, port or subset declared?' : ''
}

function treatment(answer: Answer): Line[] {
  const { timeout, retries, faults, rewrite, headers, mirrors, policy } = answer
  const lines: Line[] = []
  if (faults?.delay != null) lines.push(['delay', `${faults.delay.fixedDelay} for ${faults.delay.percentage}%`])
  if (faults?.abort != null) lines.push(['abort', `${faults.abort.httpStatus ?? `gRPC status ${faults.abort.grpcStatus}`} for ${faults.abort.percentage}%`])
  if (timeout !== null) lines.push(['timeout', timeout])
  if (retries !== null) lines.push(['retries', `${retries.attempts}${retries.perTryTimeout === null ? '' : `, ${retries.perTryTimeout} each`}, on ${retries.retryOn}`])
  if (rewrite !== null) lines.push(['rewrite', [rewrite.path === null ? '' : `path ${rewrite.path}`, rewrite.authority === null ? '' : `host ${rewrite.authority}`].filter((one) => one !== '').join(', ')])
  if (headers !== null) lines.push(...headerLines('request', headers.request), ...headerLines('response', headers.response))
  for (const { host, subset, percentage } of mirrors) lines.push(['mirror', `${percentage}% to ${host}${subset === null ? '' : ` subset ${subset}`}`])
  if (policy !== null) lines.push(['policy', policyText(policy)])
  return [...lines, ...placeLines(answer)]
}

/** What keeps a session together, where that leads, and the endpoints that the request cannot come to. */
function placeLines({ session, chosen, endpoints, destinations }: Answer): Line[] {
  const lines: Line[] = []
  if (session !== null) {
    const kept = session.hash === null ? 'this request has nothing of it' : `hash ${session.hash}`
    lines.push(['session', `by ${session.by.join(', ')}${session.decidesWeights ? ', weights included' : ''}: ${kept}`])
  }
  if (chosen !== null && (destinations.length > 1 || chosen.endpoint !== null)) {
    lines.push(['chosen', `${chosen.subset === null ? chosen.host : `subset ${chosen.subset}`}${chosen.endpoint === null ? '' : `, endpoint ${chosen.endpoint}`}`])
  }
  return [...lines, ...priorityLines(endpoints), ...endpoints.flatMap(({ address, workload, locality, whyNot }): Line[] =>
    (whyNot === null ? [] : [['left out', `${address}${workload === null ? '' : ` (${workload})`}${locality === null ? '' : ` in ${locality}`} ${whyNot}`]]))]
}

/** How the requests are split, where not all endpoints that get some are of one priority. */
function priorityLines(endpoints: Answer['endpoints']): Line[] {
  return [...Map.groupBy(endpoints, ({ cluster }) => cluster).values()].flatMap((ofCluster): Line[] => {
    const levels = [...Map.groupBy(ofCluster.filter(({ priorityPercent }) => priorityPercent > 0), ({ priority }) => priority)]
    const parts = levels.map(([priority, [first]]) => `${priority}${first?.locality == null ? '' : ` (${first.locality})`} takes ${first?.priorityPercent ?? 0}%`)
    return parts.length < 2 ? [] : [['priorities', parts.join(', ')]]
  })
}

type HeaderOperations = NonNullable<Answer['headers']>['request']

function headerLines(side: string, { set, add, remove }: HeaderOperations): Line[] {
  const parts = [
    ...Object.entries(set).map(([name, value]) => `set ${name}: ${value}`),
    ...Object.entries(add).map(([name, value]) => `add ${name}: ${value}`),
    ...remove.map((name) => `remove ${name}`),
  ]
  return parts.length === 0 ? [] : [[`${side} headers`, parts.join('; ')]]
}

function policyText({ loadBalancer, tls, peerAuthentication, destinationRule, endpoints, discovery }: NonNullable<Answer['policy']>): string {
  const parts = [
    loadBalancer,
    ...(discovery.endsWith('DNS') ? ['hosts found by DNS'] : []),
    `mutual TLS ${tls}${peerAuthentication === null ? '' : ` (the destination asks for ${peerAuthentication})`}`,
    ...(endpoints === null ? [] : [`${endpoints} endpoint${endpoints === 1 ? '' : 's'}`]),
    ...(destinationRule === null ? [] : [`DestinationRule ${destinationRule}`]),
  ]
  return parts.join(', ')
}

function way({ listener, virtualHost, tls }: Answer): Line[] {
  const lines: Line[] = tls === null ? [] : [['TLS', tlsText(tls)]]
  return listener === null ? lines : [...lines, ['by way of', `listener ${listener}${virtualHost === null ? '' : `, virtual host ${virtualHost}`}`]]
}

function tlsText({ endsHere, serverNames, clientCertificate, secrets }: NonNullable<Answer['tls']>): string {
  const names = serverNames.length === 0 ? 'any server name' : serverNames.join(', ')
  if (!endsHere) return `passed on as it is, for ${names}`
  const client = { required: ', the client must have a certificate', optional: ', the client may have a certificate', none: '' }[clientCertificate]
  return `ended here, for ${names}${secrets.length === 0 ? '' : `, with ${secrets.join(', ')}`}${client}`
}
