// The environment of a local process: what Kubernetes gives a Pod (its name, its services' addresses), pointed at its own
// sidecar, the ports it shall listen on, and what its file says, which wins.
import type { Address } from '../../model/address.ts'
import type { WantedProcess } from './wanted-process.ts'

/** A service of the process's namespace, and where its sidecar takes requests for it. */
export interface ServiceDoor {
  readonly service: string
  readonly ports: readonly { readonly name: string; readonly number: number; readonly at: Address }[]
}

export interface EnvironmentInput {
  readonly inherited: Readonly<Record<string, string | undefined>>
  readonly process: WantedProcess
  /** Where the program shall listen, by containerPort. */
  readonly appPorts: ReadonlyMap<number, number>
  readonly doors: readonly ServiceDoor[]
  readonly httpProxy: Address | undefined
}

/** Variables that programs read for a proxy; some only in lower case. */
const proxyNames = ['HTTP_PROXY', 'http_proxy']
const noProxyNames = ['NO_PROXY', 'no_proxy']
const noProxy = 'localhost,127.0.0.1,::1'

export function environmentOf(input: EnvironmentInput): Record<string, string> {
  const { inherited, process } = input
  const kept = Object.entries(inherited).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const identity = { HOSTNAME: process.name, POD_NAME: process.name, POD_NAMESPACE: process.namespace, SERVICE_ACCOUNT: process.serviceAccount }
  return { ...Object.fromEntries(kept), ...identity, ...portsOf(input), ...proxyOf(input), ...doorsOf(input.doors), ...process.env }
}

/** PORT for the first port, PORT_<NAME> for each. */
function portsOf({ process, appPorts }: EnvironmentInput): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { name, containerPort } of process.ports) {
    const port = String(appPorts.get(containerPort) ?? containerPort)
    found['PORT'] ??= port
    if (name !== '') found[`PORT_${variable(name)}`] = port
  }
  return found
}

function proxyOf({ httpProxy }: EnvironmentInput): Record<string, string> {
  if (httpProxy === undefined) return {}
  const url = `http://${httpProxy.host}:${httpProxy.port}`
  return Object.fromEntries([...proxyNames.map((name) => [name, url]), ...noProxyNames.map((name) => [name, noProxy])])
}

/** REVIEWS_SERVICE_HOST, REVIEWS_SERVICE_PORT for the first port, REVIEWS_SERVICE_PORT_<NAME> for each. */
function doorsOf(doors: readonly ServiceDoor[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { service, ports } of doors) {
    const prefix = variable(service)
    for (const [i, { name, at }] of ports.entries()) {
      if (i === 0) {
        found[`${prefix}_SERVICE_HOST`] = at.host
        found[`${prefix}_SERVICE_PORT`] = String(at.port)
      }
      if (name !== '') found[`${prefix}_SERVICE_PORT_${variable(name)}`] = String(at.port)
    }
  }
  return found
}

const variable = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]/g, '_')
