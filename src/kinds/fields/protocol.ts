// Protocols of ports, as Istio names them; case does not matter.

const http = ['HTTP', 'HTTP2', 'HTTP_PROXY', 'GRPC', 'GRPC-WEB']
const tls = ['HTTPS', 'TLS']
const opaque = ['TCP', 'MONGO', 'REDIS', 'MYSQL']
const others = ['UDP']

export const protocols: readonly string[] = [...http, ...tls, ...opaque, ...others]

export const isHttpProtocol = (name: string): boolean => http.includes(name.toUpperCase())
export const isTlsProtocol = (name: string): boolean => tls.includes(name.toUpperCase())
/** Plain TCP, also what is not named: bytes without a name of the host in them. */
export const isOpaqueProtocol = (name: string): boolean => name === '' || opaque.includes(name.toUpperCase())

/** What is wrong with a name that is not empty. */
export function protocolProblem(name: string): string | undefined {
  return name === '' || protocols.includes(name.toUpperCase()) ? undefined : `${JSON.stringify(name)} is not a protocol: it is one of ${protocols.join(', ')}`
}
