// Whether an application accepts connections.
import { dialFrom } from '../../net/dial-from.ts'
import { describe } from '../../lib/errors.ts'
import { placeOf } from './probe.ts'
import type { Asking, Problem, TcpProbe } from './probe.ts'

export async function askTcp(probe: TcpProbe, { place, timeoutMs }: Asking): Promise<Problem> {
  const address = placeOf(probe, place)
  try {
    const socket = await dialFrom({ address, timeoutMs, from: place.from(address.host) })
    socket.destroy()
    return undefined
  } catch (error) {
    return describe(error)
  }
}
