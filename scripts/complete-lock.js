// Run after `npm install` changed the lock file: adds the optional packages of other platforms that the registry in use
// could not show (a mirror may hold only some). Without their entries `npm ci` calls the lock file out of sync.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))
const systems = { darwin: 'darwin', win32: 'win32', linux: 'linux', android: 'android', freebsd: 'freebsd', openharmony: 'openharmony' }
const processors = { arm64: 'arm64', aarch64: 'arm64', x64: 'x64', ia32: 'ia32', arm: 'arm', armv7: 'arm', ppc64: 'ppc64', riscv64: 'riscv64', s390x: 's390x' }

let added = 0
for (const of of Object.values({ ...lock.packages })) {
  for (const [name, version] of Object.entries(of.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    if (lock.packages[key] !== undefined) continue
    const words = name.split('/').at(-1).split('-')
    const os = words.find((word) => word in systems)
    const cpu = words.find((word) => word in processors)
    if (os === undefined || cpu === undefined) throw new Error(`${name}: cannot tell its platform from its name; add it to the lock file by hand`)
    lock.packages[key] = {
      version,
      cpu: [processors[cpu]],
      ...(of.dev ? { dev: true } : {}),
      ...(words.includes('musl') || words.includes('musleabihf') ? { libc: ['musl'] } : {}),
      optional: true,
      os: [systems[os]],
    }
    added++
  }
}
const [root, ...rest] = Object.entries(lock.packages)
lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => (a < b ? -1 : 1))])
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} packages of other platforms added to package-lock.json`)
