// What every scenario starts from: our control plane, and the applications behind the proxies.
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../src/net/reserve-port.ts'
import type { Children } from './children.ts'
import { writeEnvoyMesh } from './mesh-envoy.ts'
import type { EnvoyPorts } from './mesh-envoy.ts'
import { MeshProcesses } from './mesh-processes.ts'
import { haproxyTlsUpstream } from './twins/haproxy.ts'
import { nginxUpstream } from './twins/nginx.ts'

export interface World {
  readonly folder: string
  readonly children: Children
  readonly mesh: MeshProcesses
  /** What our proxies are compared with themselves by: another tree, or other flags. */
  readonly base: MeshProcesses | undefined
  /** An application that answers 1 KB, and the same behind mutual TLS. */
  readonly upstream: number
  readonly tlsUpstream: number
  /** Where nghttpd is to listen, if it is needed. */
  readonly h2Upstream: number
  /** Where a real Envoy's listeners are; undefined when there is none. */
  readonly envoy: EnvoyPorts | undefined
}

export interface WorldOptions {
  readonly nodeFlags: readonly string[]
  readonly withEnvoy: boolean
  readonly base?: { readonly tree: string; readonly nodeFlags: readonly string[] } | undefined
}

export async function openWorld(folder: string, children: Children, { nodeFlags, withEnvoy, base }: WorldOptions): Promise<World> {
  const [upstream, tlsUpstream, h2Upstream] = [await freePort(), await freePort(), await freePort()]
  const envoy = withEnvoy ? { gateway: await freePort(), inbound: await freePort(), outbound: await freePort(), h2: await freePort(), hop: await freePort() } : undefined
  const envoyMesh = join(folder, 'envoy.yaml')
  if (envoy !== undefined) writeEnvoyMesh(envoyMesh, envoy, { plain: upstream, tls: tlsUpstream, h2: h2Upstream })
  const mesh = await MeshProcesses.start(children, folder, nodeFlags, envoy === undefined ? [] : [envoyMesh])
  const output = join(folder, 'upstream.out')
  chmodSync(folder, 0o711) // nginx drops root before it reads what it serves
  await children.server('upstream', nginxUpstream(folder, upstream), [upstream], { core: 'load', output })
  await children.server('TLS upstream', haproxyTlsUpstream(folder, tlsUpstream), [tlsUpstream], { core: 'load', output })
  return { folder, children, mesh, base: base === undefined ? undefined : mesh.of(base.tree, base.nodeFlags), upstream, tlsUpstream, h2Upstream, envoy }
}
