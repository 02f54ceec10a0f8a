// How programs are started in the network of a workload: its proxy as Istio's user 1337, so that the redirect can tell them
// apart, and its own program with the rights of whoever runs `run`, less those by which it could undo the redirect.
import { fileURLToPath } from 'node:url'
import { captureOfAnnotations } from '../../../agent/capture/annotations.ts'
import { proxyId } from '../../../agent/capture/capture-settings.ts'
import type { CaptureSettings, InterceptionMode } from '../../../agent/capture/capture-settings.ts'
import type { RunCommand } from '../../../agent/capture/commands.ts'
import type { Namespace } from '../../../agent/netns/namespace.ts'
import { controlPort, switchAddress } from '../../../agent/netns/switch.ts'
import { MeshError } from '../../../lib/errors.ts'
import { asUser } from '../../proxy/user.ts'
import { controlName } from './files.ts'
import type { WantedProcess } from '../wanted-process.ts'

/** Of a proxy that shares its user with the program: there is one user only without root. 1337 and 1338 are TPROXY's own marks. */
const proxyMark = 1339

/** How long open exchanges may take once the mesh ends. */
const terminationMs = 2000
const statusPort = 15_020

/**
 * What is redirected there, and whose traffic is not: all, less what the annotations of the Process leave out, by this mode
 * unless they name another. Throws `run/annotation` with every mistake.
 */
export function captureOf({ key, annotations }: Pick<WantedProcess, 'key' | 'annotations'>, rootless: boolean, interceptionMode: InterceptionMode = 'REDIRECT'): CaptureSettings {
  // The stream to the control plane is node's own socket, which has no mark: nothing else is at that address.
  const own = rootless ? { proxyUids: [], proxyGids: [], proxyMarks: [String(proxyMark)], excludeOutboundIpRanges: [`${switchAddress}/32`] } : {}
  const { settings, mistakes } = captureOfAnnotations(annotations, () => [switchAddress], { dnsCapture: true, dnsServers: ['*'], interceptionMode, ...own })
  if (mistakes.length > 0) throw new MeshError('run/annotation', `the annotations of Process ${key}: ${mistakes.join('; ')}`)
  return { ...settings, excludeOutboundRanges: [...new Set([...settings.excludeOutboundRanges, ...(own.excludeOutboundIpRanges ?? [])])] }
}

/** For `applyCapture`: in this network instead of our own. */
export const runIn = (cell: Namespace): RunCommand => (program, args, input = '') => cell.answer([program, ...args], input)

export interface ProxyPlace {
  readonly cell: Namespace
  readonly rootless: boolean
  /** Of both families, where there are both; the first one is that of its id. */
  readonly addresses: readonly string[]
  readonly trustDomain: string
  /** Undefined: for a gateway, which nothing is redirected to. */
  readonly capture: CaptureSettings | undefined
  /** Of its replaced listeners; undefined: the proxy's own. */
  readonly replacedMs?: number | undefined
}

export function proxyCommand({ name, namespace, serviceAccount, labels, proxyType }: WantedProcess, { cell, rootless, addresses: [address = '', ...further], trustDomain, capture, replacedMs }: ProxyPlace): readonly string[] {
  const owner = labels['app'] === undefined || labels['version'] === undefined ? name : `${labels['app']}-${labels['version']}`
  const flags = {
    type: proxyType === 'router' ? 'router' : 'sidecar',
    name, namespace, 'service-account': serviceAccount, 'trust-domain': trustDomain, ip: address, 'instance-ips': further.join(','), 'workload-name': owner,
    labels: Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(','),
    'discovery-address': `${controlName}:${controlPort}`,
    'termination-drain-duration': `${terminationMs}ms`,
    'drain-duration': replacedMs === undefined ? '' : `${replacedMs}ms`,
    ...(capture === undefined ? {} : { 'status-port': String(statusPort) }),
    ...(isCaptured(capture) ? { capture: 'netfilter', 'interception-mode': capture.mode, ...(rootless ? { 'proxy-mark': String(proxyMark) } : {}) } : {}),
  }
  const given = Object.entries(flags).filter(([, value]) => value !== '').map(([flag, value]) => `--${flag}=${value}`)
  return [...cell.entering(), '--', ...(rootless ? [] : asUser(proxyId)), process.execPath, trysail, 'proxy', '--supervised', ...(isCaptured(capture) ? ['--dns-capture'] : []), ...given]
}

const isCaptured = (capture: CaptureSettings | undefined): capture is CaptureSettings => capture !== undefined && capture.mode !== 'NONE'

const trysail = fileURLToPath(new URL('../../../../bin/trysail.js', import.meta.url))

/** By these it could undo the redirect, or mark its packets as the proxy's. Most containers have none of them either. */
const without = ['net_admin', 'net_raw', 'sys_admin', 'sys_ptrace', 'sys_module'].map((one) => `-${one}`).join(',')

export const programCommand = ({ command, workingDirectory }: WantedProcess, cell: Namespace): readonly string[] =>
  [...cell.entering(), '--', 'setpriv', `--bounding-set=${without}`, `--inh-caps=-all`, 'env', `--chdir=${workingDirectory}`, ...command]
