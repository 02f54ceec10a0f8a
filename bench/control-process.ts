// The bench's control plane, a process of its own: serves bench/mesh, and gives nginx, HAProxy and the load generator
// certificates from the same CA as our proxies. `control-process.ts FOLDER [YAML...]`: files beside bench/mesh; says a ControlSaid once it serves.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCa } from '../src/control/ca/ca.ts'
import { startControl } from '../src/control/main.ts'
import { controlSettings } from '../src/control/settings.ts'
import { formatAddress } from '../src/model/address.ts'
import { formatSpiffeId } from '../src/model/spiffe-id.ts'
import { createRequest } from '../src/security/x509/request.ts'
import { exportKey, generateKey } from '../src/security/x509/key.ts'
import { filesOnce } from '../src/sources/files/read.ts'

export interface ControlSaid {
  readonly discoveryAddress: string
  /** ADS without TLS, for Envoy. */
  readonly plaintextPort: number
  readonly roots: string
  /** Bootstrap tokens, by service account. */
  readonly tokens: Readonly<Record<string, string>>
}

const accounts = ['gateway', 'client', 'server'] as const
const namespace = 'bench'

const [folder = '.', ...more] = process.argv.slice(2)
const stateDir = join(folder, 'ca')

const control = await startControl(
  controlSettings({ xdsPort: 0, plaintextPort: 0, debugPort: 0, stateDir }),
  {
    sources: [filesOnce([join(import.meta.dirname, 'mesh'), ...more])],
    meshDefaults: { accessLogFile: join(folder, 'access.log') },
    log: (level, line) => (level === 'error' || level === 'warning' ? console.error(line) : undefined),
  },
)

const identity = (serviceAccount: string) => ({ trustDomain: control.trustDomain, namespace, serviceAccount })

/** NAME.pem, NAME.key, and both in NAME.both.pem as HAProxy wants them. */
async function writeCertificates(): Promise<void> {
  const ca = await openCa({ stateDir, trustDomain: control.trustDomain })
  writeFileSync(join(folder, 'roots.pem'), ca.roots)
  for (const account of accounts) {
    const key = generateKey()
    const chain = ca.sign(createRequest(key, formatSpiffeId(identity(account))), identity(account), 0).chain.join('')
    writeFileSync(join(folder, `${account}.pem`), chain)
    writeFileSync(join(folder, `${account}.key`), exportKey(key), { mode: 0o600 })
    writeFileSync(join(folder, `${account}.both.pem`), chain + exportKey(key), { mode: 0o600 })
  }
}

await writeCertificates()
const said: ControlSaid = {
  discoveryAddress: formatAddress(control.xds),
  plaintextPort: control.plaintext.port,
  roots: control.roots,
  tokens: Object.fromEntries(accounts.map((account) => [account, control.bootstrapToken(identity(account))])),
}
console.log(JSON.stringify(said))
