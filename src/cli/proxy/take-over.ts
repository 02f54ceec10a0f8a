// How one process of a proxy follows another without a failed request: it gets the sockets of the one that runs, serves, says
// so, and the one before drains and ends. They find each other by the proxy's name, in the folder of this user.
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { offerSockets, takeOver } from '../../net/take-over.ts'
import type { OfferSource, TakenOver } from '../../net/take-over.ts'
import type { ProxySettings } from '../../proxy/settings.ts'
import { runtimeFolder } from '../running.ts'

export interface Offer {
  close(): void
}

/** Short whatever the name: such paths hold 107 bytes. */
function socketPath({ type, namespace, name }: ProxySettings): string {
  const digest = createHash('sha256').update(`${type} ${namespace}/${name}`).digest('hex')
  return join(runtimeFolder(), `proxy-${digest.slice(0, 16)}.sock`)
}

/** Undefined when no such proxy runs. */
export function takeOverFrom(settings: ProxySettings): Promise<TakenOver | undefined> {
  return takeOver(socketPath(settings))
}

/** From now on the next one finds this process. A proxy that cannot be taken over serves all the same: rejects with `net/failed`. */
export async function offerTo(settings: ProxySettings, source: OfferSource): Promise<Offer> {
  const path = socketPath(settings)
  const own = `${path}.${process.pid}`
  mkdirSync(runtimeFolder(), { recursive: true, mode: 0o700 })
  rmSync(own, { force: true })
  const server = await offerSockets(own, source)
  chmodSync(own, 0o600)
  const { ino } = statSync(own)
  renameSync(own, path)
  return {
    close() {
      server.close()
      // Unless the next one stands there already.
      if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true })
    },
  }
}
