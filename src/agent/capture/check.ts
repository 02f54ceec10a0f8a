// Are the rules there, and is traffic really captured? Asked from outside of a proxy: one connection as the workload would make
// it, one as the proxy would make it to its own workload. Where no proxy listens yet, somebody does for as long as this takes.
import { networkInterfaces } from 'node:os'
import type { NetworkInterfaceInfo } from 'node:os'
import { hasCode } from '../../lib/errors.ts'
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/address.ts'
import { tryConnectAs } from '../../net/connect-as.ts'
import type { SocketOwner } from '../../net/connect-as.ts'
import { listen } from '../../net/listen.ts'
import { captureStands } from './apply.ts'
import type { CapturePlace } from './apply.ts'
import type { Backend, Standing } from './backend.ts'
import type { CaptureSettings } from './capture-settings.ts'
import { proxyOwners } from './rules-outbound.ts'
import { probePort } from './self-probe.ts'

export interface Finding {
  /** Null: it could not be found out. */
  readonly captured: boolean | null
  readonly why: string
}

export interface CaptureCheck {
  /** Null: we may not read them. */
  readonly rules: Standing | null
  /** By whom rules of ours stand beside those that were asked about: `nft` or `iptables`. */
  readonly beside?: Backend['name'] | undefined
  readonly outbound: Finding
  readonly inbound: Finding
}

/** Addresses of documentation (RFC 5737, RFC 3849): nobody is there, so whoever answers is the proxy. */
const nowhere = { IPv4: '192.0.2.1', IPv6: '2001:db8::1' } as const
const timeoutMs = 3_000

export async function checkCapture(settings: CaptureSettings, place: CapturePlace = {}): Promise<CaptureCheck> {
  const standing = await captureStands(settings, place).catch((error: unknown) => {
    if (hasCode(error, 'agent/no-permission') || hasCode(error, 'agent/no-program')) return { rules: null, beside: undefined }
    throw error
  })
  const stop = await listenMeanwhile([settings.outboundPort, settings.inboundPort])
  try {
    return { ...standing, outbound: await checkOutbound(settings), inbound: await checkInbound(settings) }
  } finally {
    await stop()
  }
}

/** A port that is taken is the proxy's. */
async function listenMeanwhile(ports: readonly number[]): Promise<() => Promise<void>> {
  const opened = await Promise.all(ports.map(async (port) => {
    try {
      return [await listen({ address: { host: anyHost(), port }, onConnection: (inbound) => inbound.destroy() })]
    } catch (error) {
      if (hasCode(error, 'net/in-use')) return []
      throw error
    }
  }))
  return async () => void (await Promise.all(opened.flat().map((one) => one.close())))
}

async function checkOutbound(settings: CaptureSettings): Promise<Finding> {
  const wanted = settings.mode !== 'NONE' && (settings.includeOutboundRanges === '*' || settings.includeOutboundPorts.length > 0)
  if (!wanted) return { captured: null, why: 'the settings capture no address that could be tried' }
  const uid = process.geteuid?.() ?? 0
  if (settings.proxyUids.includes(uid)) return { captured: null, why: `user ${uid} is the proxy's: what it sends is left alone` }
  return await found({ mark: 0 }, { host: nowhere[ownAddress()?.family ?? 'IPv4'], port: settings.includeOutboundPorts[0] ?? probePort }, `what the workload sends goes to port ${settings.outboundPort}`)
}

/** The rules send back in what the proxy sends to its own workload. */
async function checkInbound(settings: CaptureSettings): Promise<Finding> {
  const own = ownAddress()
  const owner = ownerOf(settings)
  if (own === undefined) return { captured: null, why: 'there is no address but the loopback' }
  if (owner === undefined) return { captured: null, why: 'the settings name no user or mark of a proxy' }
  return await found(owner, { host: own.address, port: probePort }, `what comes to the workload goes to port ${settings.inboundPort}`)
}

function ownerOf(settings: CaptureSettings): SocketOwner | undefined {
  const found = proxyOwners(settings).find(({ on }) => on !== 'gid')
  if (found === undefined) return undefined
  return found.on === 'mark' ? { mark: found.id } : { uid: found.id, mark: 0 }
}

/** IPv4 where there is some; addresses of the link are nobody's. */
function ownAddress(): NetworkInterfaceInfo | undefined {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? []).filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
  return all.find(({ family }) => family === 'IPv4') ?? all[0]
}

const anyHost = (): string => (ownAddress()?.family === 'IPv6' ? '::' : '0.0.0.0')

async function found(owner: SocketOwner, to: Address, well: string): Promise<Finding> {
  try {
    const error = await tryConnectAs(owner, to, timeoutMs)
    if (error === undefined) return { captured: true, why: well }
    if (error.code === 'net/unreachable') return { captured: null, why: `no route leads to ${formatAddress(to)}` }
    return { captured: false, why: `a connection to ${formatAddress(to)} went past the proxy: ${error.message}` }
  } catch (error) {
    return { captured: null, why: `it cannot be tried as ${owner.mark === 0 ? `user ${owner.uid}` : `mark ${owner.mark}`}: ${error instanceof Error ? error.message : String(error)}` }
  }
}
