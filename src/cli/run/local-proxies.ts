// Starts the proxies that `run` hosts: each with its own node, identity, xDS stream and admin port, in this process.
import type { ControlPlane } from '../../control/main.ts'
import { formatAddress } from '../../model/address.ts'
import type { Capture, Proxy } from '../../proxy/main.ts'
import { startProxy } from '../../proxy/main.ts'
import { proxySettings } from '../../proxy/settings.ts'
import type { WriteAudit } from '../../telemetry/audit/events.ts'
import { packageVersion } from '../version.ts'
import type { RunLog } from './log.ts'
import type { WantedProcess } from './wanted-process.ts'

export interface LocalProxyParts {
  readonly control: ControlPlane
  readonly trustDomain: string
  readonly log: RunLog
  /** One line of a proxy's access log to /dev/stdout or /dev/stderr. */
  accessLog(proxy: string, line: string): void
  audit(source: string): WriteAudit | undefined
}

export interface LocalProxyPlace {
  readonly ip: string
  readonly capture: Capture
  /** 0: no forward proxy. */
  readonly httpProxyPort: number
  /** Of replaced listeners; undefined: as long as is usual. */
  readonly replacedMs: number | undefined
}

/** How long open exchanges may take once the mesh ends. */
const terminationMs = 2000

export function startLocalProxy(wanted: WantedProcess, place: LocalProxyPlace, parts: LocalProxyParts): Promise<Proxy> {
  const { name, namespace, serviceAccount, labels } = wanted
  const { control, trustDomain, log } = parts
  const id = { trustDomain, namespace, serviceAccount }
  const settings = proxySettings({
    type: wanted.proxyType === 'router' ? 'router' : 'sidecar',
    name, namespace, serviceAccount, labels, trustDomain,
    ip: place.ip,
    workloadName: labels['app'] === undefined || labels['version'] === undefined ? name : `${labels['app']}-${labels['version']}`,
    discoveryAddress: formatAddress(control.xds),
    httpProxyPort: place.httpProxyPort,
    adminPort: 0,
    // Its workload is told addresses, as by a DNS proxy: those that were allocated, too.
    dnsCapture: true,
    terminationDrainDuration: terminationMs,
    ...(place.replacedMs === undefined ? {} : { drainDuration: place.replacedMs }),
  })
  const audit = parts.audit(`${name}.${namespace}`)
  return startProxy(settings, {
    ...(audit === undefined ? {} : { audit }),
    capture: place.capture,
    // A new one each time: a machine that slept for a day needs one as much as one that has just started.
    bearer: () => control.bootstrapToken(id),
    roots: control.roots,
    version: packageVersion(),
    log: (line) => log.warn(name, line),
    standardOutput: (line) => parts.accessLog(name, line),
  })
}
