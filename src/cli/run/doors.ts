// The doors of one process to the services of its namespace: a local port for each service port, at which its own sidecar
// takes what it sends. A door keeps its port for as long as the process lives, since the program learned it at its start.
import type { Tap } from '../../agent/env-capture.ts'
import type { Address } from '../../model/address.ts'
import { formatAddress } from '../../model/address.ts'
import type { Service } from '../../model/service.ts'
import { reservePort } from '../../net/reserve-port.ts'
import type { ServiceDoor } from './environment.ts'

/** More service ports than this get no door of their own: each is a listening socket in every sidecar. HTTP_PROXY reaches them. */
export const maxDoors = 256

interface Door {
  readonly service: string
  readonly portName: string
  readonly number: number
  readonly at: Address
  tap: Tap
}

/** What a door leads to. */
interface Goal {
  readonly key: string
  readonly service: string
  readonly portName: string
  readonly number: number
  readonly originalDestination: Address
  readonly authority: string
}

export class Doors {
  readonly #open = new Map<string, Door>()
  #left = 0

  get taps(): readonly Tap[] {
    return [...this.#open.values()].map(({ tap }) => tap)
  }

  /** Service ports that got no door. */
  get left(): number {
    return this.#left
  }

  get list(): readonly ServiceDoor[] {
    const byService = Map.groupBy(this.#open.values(), ({ service }) => service)
    return [...byService].map(([service, doors]) => ({
      service, ports: doors.map(({ portName, number, at }) => ({ name: portName, number, at })),
    }))
  }

  /** Opens doors to what is new, and leads those that stand to where their service is now. Those without one are closed. */
  async update(services: readonly Service[], namespace: string): Promise<void> {
    const goals = services.filter((one) => one.namespace === namespace && one.registry === 'Kubernetes').flatMap(goalsOf)
    this.#left = Math.max(0, goals.length - maxDoors)
    const wanted = new Map(goals.slice(0, maxDoors).map((goal) => [goal.key, goal]))
    for (const key of this.#open.keys()) if (!wanted.has(key)) this.#open.delete(key)
    for (const [key, goal] of wanted) {
      const known = this.#open.get(key)
      if (known === undefined) this.#open.set(key, await openDoor(goal))
      else if (!leadsTo(known.tap, goal)) known.tap = tapOf({ address: known.at }, goal)
    }
  }
}

function goalsOf(service: Service): readonly Goal[] {
  const host = service.addresses.find((one) => !one.includes('/'))
  if (host === undefined || service.resolution !== 'client-side') return []
  return service.ports.filter(({ protocol }) => protocol !== 'UDP').map(({ name, number }) => ({
    key: `${service.name}:${number}`, service: service.name, portName: name, number,
    originalDestination: { host, port: number },
    authority: `${service.hostname}:${number}`,
  }))
}

async function openDoor(goal: Goal): Promise<Door> {
  const { address, server } = await reservePort()
  const { service, portName, number } = goal
  return { service, portName, number, at: address, tap: tapOf({ server }, goal) }
}

const tapOf = (listen: Tap['listen'], { originalDestination, authority }: Goal): Tap => ({ listen, direction: 'outbound', originalDestination, authority })

const leadsTo = (tap: Tap, goal: Goal): boolean =>
  tap.authority === goal.authority && formatAddress(tap.originalDestination) === formatAddress(goal.originalDestination)
