// Runs after `npm ci`: generates the protobuf types unless they are already newer than what they come from.
// Plain JavaScript on purpose: npm may run it under a Node too old to strip types.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const newest = (path) =>
  statSync(path).isDirectory()
    ? Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
    : statSync(path).mtimeMs

const root = new URL('..', import.meta.url).pathname
process.chdir(root)
const made = 'src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
const inputs = ['proto', 'buf.yaml', 'buf.gen.yaml', 'package-lock.json']
if (!existsSync(made) || statSync(made).mtimeMs < Math.max(...inputs.map(newest))) {
  execFileSync('buf', ['generate'], { stdio: 'inherit', shell: process.platform === 'win32' })
}
