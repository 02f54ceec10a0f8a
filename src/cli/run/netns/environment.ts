// The environment of a program in a network of its own: what a Pod's has. Names and addresses in it are those of the mesh.
import type { Service } from '../../../model/service.ts'
import { environmentOf } from '../environment.ts'
import type { ServiceDoor } from '../environment.ts'
import type { WantedProcess } from '../wanted-process.ts'

export interface NetnsEnvironmentInput {
  readonly inherited: Readonly<Record<string, string | undefined>>
  readonly process: WantedProcess
  readonly address: string
  readonly services: readonly Service[]
}

/** Kubernetes has no limit; programs do: all of a large namespace would not fit into what the kernel lets a program be given. */
const maxPorts = 2000

export function netnsEnvironment({ inherited, process, address, services }: NetnsEnvironmentInput): Record<string, string> {
  // Proxies of this machine's own network are nowhere in it.
  const kept = Object.entries(inherited).filter(([name]) => !/^(http|https|all|ftp|no)_proxy$/i.test(name))
  const doors = services.filter(({ namespace, registry }) => namespace === process.namespace && registry === 'Kubernetes').flatMap(doorOf)
  return environmentOf({
    inherited: { ...Object.fromEntries(kept), POD_IP: address, INSTANCE_IP: address },
    process, appPorts: new Map(), doors: doors.slice(0, maxPorts), httpProxy: undefined,
  })
}

function doorOf({ name, addresses, ports }: Service): ServiceDoor[] {
  const host = addresses.find((one) => !one.includes('/'))
  return host === undefined ? [] : [{ service: name, ports: ports.map((port) => ({ name: port.name, number: port.number, at: { host, port: port.number } })) }]
}
