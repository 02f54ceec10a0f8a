// The ports of one process on this machine: where its sidecar takes what peers send (its inbound taps), and where the
// program itself shall listen.
import type { Tap } from '../../agent/env-capture.ts'
import { MeshError, hasCode } from '../../lib/errors.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import { freePort, reservePort } from '../../net/reserve-port.ts'
import type { WantedProcess } from './wanted-process.ts'

const loopback = '127.0.0.1'

export interface ProcessPorts {
  /** By containerPort: where peers' proxies dial. */
  readonly inbound: ReadonlyMap<number, Address>
  /** By containerPort: where the program listens. */
  readonly app: ReadonlyMap<number, Address>
  readonly taps: readonly Tap[]
}

/** `workloadAddress` is how services know it. Throws `run/port` when a port that the file fixes is taken. */
export async function takePorts(wanted: WantedProcess, workloadAddress: string): Promise<ProcessPorts> {
  const inbound = new Map<number, Address>()
  const app = new Map<number, Address>()
  const taps: Tap[] = []
  for (const port of wanted.ports) {
    app.set(port.containerPort, { host: wanted.address, port: fixedPort(wanted, port.name, port.containerPort) ?? (await freePort()) })
    if (wanted.proxyType !== 'sidecar') continue
    const { address, server } = await reserve(wanted, port.hostPort)
    inbound.set(port.containerPort, address)
    taps.push({ listen: { server }, direction: 'inbound', originalDestination: { host: workloadAddress, port: port.containerPort } })
  }
  return { inbound, app, taps }
}

/**
 * Where the program listens whatever we say: its own PORT in the file, or, when it runs already or has no sidecar, the port
 * that services know it by.
 */
function fixedPort({ env, ports, command, proxyType }: WantedProcess, name: string, containerPort: number): number | undefined {
  if (command.length === 0 || proxyType === 'none') return containerPort
  const named = env[`PORT_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`]
  const given = named ?? (ports[0]?.containerPort === containerPort ? env['PORT'] : undefined)
  return given !== undefined && /^\d{1,5}$/.test(given) ? Number(given) : undefined
}

/** Which of the program's own ports somebody else has, in words. Whoever answers there would be taken for it. */
export async function takenPort({ key, origin }: WantedProcess, app: ProcessPorts['app']): Promise<string | undefined> {
  for (const address of app.values()) {
    try {
      const { release } = await reservePort(address.host, address.port)
      release()
    } catch (error) {
      if (hasCode(error, 'net/in-use')) return `port already taken: ${formatAddress(address)}, where Process ${key} shall listen (${origin.file}:${origin.line})`
    }
  }
  return undefined
}

async function reserve(wanted: WantedProcess, hostPort: number | undefined) {
  try {
    return await reservePort(loopback, hostPort ?? 0)
  } catch (error) {
    if (!hasCode(error, 'net/in-use')) throw error
    const at = formatAddress({ host: loopback, port: hostPort ?? 0 })
    throw new MeshError('run/port', `port already taken: ${at} wanted by Process ${wanted.key} (${wanted.origin.file}:${wanted.origin.line}, hostPort)`, error)
  }
}
