// What a workload finds in /etc that is its own: where names are asked for, and who it is itself. Bound over this machine's
// files in its mount namespace; they have no name any more once they are bound, so nothing can be left of them.
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { switchAddress } from '../../../agent/netns/switch.ts'
import type { Namespace } from '../../../agent/netns/namespace.ts'

export interface WorkloadFiles {
  readonly namespace: string
  /** Of the workload, the first one of IPv4. */
  readonly addresses: readonly string[]
  readonly domain: string
}

/** The name by which Istio's proxies know their control plane, and that its certificate has. */
export const controlName = 'istiod.istio-system.svc'

/** As kubelet writes it. Whoever is asked there, the sidecar answers. */
export const resolvConf = ({ namespace, domain }: WorkloadFiles): string =>
  `search ${namespace}.svc.${domain} svc.${domain} ${domain}\nnameserver ${switchAddress}\noptions ndots:5\n`

/** The Process's own name is not in it: often a Service has the same one, and is meant. */
export const hosts = ({ addresses }: WorkloadFiles): string =>
  `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${addresses.map((one) => `${one}\t${hostname()}\n`).join('')}${switchAddress}\t${controlName}\n`

/** Sockets by which the C library would ask this machine's own services for names, past every resolv.conf. */
const nameServices = ['/run/systemd/resolve/io.systemd.Resolve', '/run/nscd/socket', '/run/avahi-daemon/socket']

export async function bindFiles(cell: Namespace, files: WorkloadFiles): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-netns-'))
  try {
    const own = { '/etc/resolv.conf': resolvConf(files), '/etc/hosts': hosts(files) }
    for (const [place, text] of Object.entries(own)) {
      const target = realpath(place)
      if (target === undefined) continue
      const source = join(folder, place.replaceAll('/', '-'))
      writeFileSync(source, text, { mode: 0o644 })
      await cell.run(['mount', '--bind', source, target])
    }
    for (const socket of nameServices.filter((one) => existsSync(one))) await cell.run(['mount', '--bind', '/dev/null', socket])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** /etc/resolv.conf is often a link into /run. */
function realpath(path: string): string | undefined {
  return existsSync(path) ? realpathSync(path) : undefined
}
