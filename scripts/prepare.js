// Runs after `npm ci`: generates the protobuf types unless they are newer than what they come from, and links our own
// command, so that `npx trysail` works from a clone. Plain JavaScript: npm may run it under a Node too old to strip types.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const windows = process.platform === 'win32'

const newest = (path) =>
  statSync(path).isDirectory()
    ? Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
    : statSync(path).mtimeMs

const made = 'src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts'
const inputs = ['proto', 'buf.yaml', 'buf.gen.yaml', 'package-lock.json']
if (!existsSync(made) || statSync(made).mtimeMs < Math.max(...inputs.map(newest))) {
  execFileSync('buf', ['generate'], { stdio: 'inherit', shell: windows })
}

// Not by a `bin` field in package.json: for that, npx of npm 11 installs a copy of the clone into its cache first.
const bin = join('node_modules', '.bin', windows ? 'trysail.cmd' : 'trysail')
mkdirSync(join('node_modules', '.bin'), { recursive: true })
rmSync(bin, { force: true })
if (windows) writeFileSync(bin, '@node "%~dp0\\..\\..\\bin\\trysail.js" %*\r\n')
else {
  chmodSync('bin/trysail.js', 0o755)
  symlinkSync(join('..', '..', 'bin', 'trysail.js'), bin)
}
