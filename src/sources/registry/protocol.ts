// Which protocol a service port speaks, by what its author said about it (traffic spec 3.3).
import type { Protocol } from '../../model/service.ts'

const names: Readonly<Record<string, Protocol>> = {
  http: 'HTTP', http2: 'HTTP2', https: 'HTTPS', grpc: 'GRPC', 'grpc-web': 'GRPC-Web', tcp: 'TCP', tls: 'TLS', udp: 'UDP', mongo: 'Mongo',
  redis: 'Redis', mysql: 'MySQL', http_proxy: 'HTTP_PROXY',
}

/** Kubernetes' own names, allowed in appProtocol. */
const kubernetesNames: Readonly<Record<string, Protocol>> = { 'kubernetes.io/h2c': 'HTTP2', 'kubernetes.io/ws': 'HTTP', 'kubernetes.io/wss': 'HTTPS' }

/** Servers there speak first or are no HTTP: sniffing them would only cost time. */
const plainTcpPorts: ReadonlySet<number> = new Set([25, 53, 3306, 27017])

/** The protocol of that name; `auto` for any other. */
export function protocolNamed(text: string): Protocol {
  const name = text.toLowerCase()
  return Object.hasOwn(names, name) ? names[name]! : 'auto'
}

export interface NamedPort {
  readonly name: string
  readonly number: number
  readonly transport: string
  readonly appProtocol?: string | null | undefined
}

export function protocolOf({ name, number, transport, appProtocol }: NamedPort): Protocol {
  if (transport !== 'TCP') return 'UDP' // what the mesh leaves alone; SCTP too
  const said = typeof appProtocol === 'string' ? byAppProtocol(appProtocol) : byPortName(name)
  return said === 'auto' && plainTcpPorts.has(number) ? 'TCP' : said
}

function byAppProtocol(text: string): Protocol {
  return Object.hasOwn(kubernetesNames, text) ? kubernetesNames[text]! : protocolNamed(text)
}

/** `http`, `http-metrics`, `grpc-web`, `grpc-web-admin`. UDP is for the transport to say, not for a name. */
function byPortName(name: string): Protocol {
  const lower = name.toLowerCase()
  if (lower === 'grpc-web' || lower.startsWith('grpc-web-')) return 'GRPC-Web'
  const dash = lower.indexOf('-')
  return protocolNamed(dash < 0 ? lower : lower.slice(0, dash))
}
