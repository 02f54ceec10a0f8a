// nghttp2's own proxy and server, the yardsticks of HTTP/2. One worker each.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bigPath, body } from './nginx.ts'
import type { TwinPlace } from './nginx.ts'

/** Whether its programs are here. */
export const hasNghttp2 = (): boolean => ['nghttpx', 'nghttpd', 'h2load'].every((program) => spawnSync(program, ['--version']).status === 0)

/** HTTP/2 without TLS on both sides, bare. */
export const nghttpx = ({ port, upstream }: TwinPlace): readonly string[] => [
  'nghttpx', '--conf=/dev/null', `-f127.0.0.1,${port};no-tls`, `-b127.0.0.1,${upstream};;proto=h2`, '--workers=1', '--no-ocsp',
  '--frontend-http2-max-concurrent-streams=1000', '--errorlog-file=/dev/null', '--accesslog-file=/dev/null',
]

/** The application behind every proxy: files of 1 KB and 1 MB, with the trailer of a gRPC answer. */
export function nghttpd(folder: string, port: number): readonly string[] {
  writeFileSync(join(folder, 'kilobyte'), body, { mode: 0o644 })
  writeFileSync(join(folder, bigPath), Buffer.alloc(2 ** 20, body), { mode: 0o644 })
  return ['nghttpd', '--no-tls', '-n1', '-m', '1000', '--trailer', 'grpc-status: 0', '-a', '127.0.0.1', '-d', folder, `${port}`]
}
