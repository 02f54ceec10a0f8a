// The CA's root on disk: `ca/ca-cert.pem` and `ca/ca-key.pem` in the state folder, named as Istio names them. Made on the
// first start, read on every later one, never changed.
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { issueRoot } from '../../security/x509/issue.ts'
import { openIssuer } from '../../security/x509/issuer.ts'
import type { Issuer } from '../../security/x509/issuer.ts'
import { exportKey, generateKey } from '../../security/x509/key.ts'
import { caError } from './errors.ts'
import { createFolderOnce, readPublicFile, readSecretFile } from './state-folder.ts'
import type { FolderContent } from './state-folder.ts'
import { backdateMs } from './validity.ts'

const folderName = 'ca'
const certificateFile = 'ca-cert.pem'
const keyFile = 'ca-key.pem'

export interface RootOptions {
  readonly stateDir: string
  readonly trustDomain: string
  readonly lifetimeMs: number
  readonly clock: Clock
}

/** Throws `ca/state` or `ca/expired`, naming the file. */
export async function openRoot(options: RootOptions): Promise<Issuer> {
  await createFolderOnce(options.stateDir, folderName, () => createRoot(options))
  const folder = join(options.stateDir, folderName)
  const key = await readSecretFile(join(folder, keyFile))
  const root = openPair(await readPublicFile(join(folder, certificateFile)), key, folder)
  checkTime(root, join(folder, certificateFile), options.clock.now())
  return root
}

function createRoot({ trustDomain, lifetimeMs, clock }: RootOptions): FolderContent {
  const key = generateKey()
  const { pem } = issueRoot(key, trustDomain, { notBefore: clock.now() - backdateMs, notAfter: clock.now() + lifetimeMs })
  return new Map([[certificateFile, pem], [keyFile, exportKey(key)]])
}

function openPair(certificate: string, key: string, folder: string): Issuer {
  try {
    return openIssuer(certificate, key)
  } catch (error) {
    throw caError('ca/state', `${certificateFile} and ${keyFile} in ${folder} cannot be used`, error)
  }
}

function checkTime({ notBefore, notAfter }: Issuer, file: string, now: number): void {
  if (now >= notAfter) {
    throw caError('ca/expired', `the root in ${file} expired on ${new Date(notAfter).toISOString()}: move its folder away to begin anew; every proxy then needs the new root`)
  }
  if (now < notBefore) throw caError('ca/expired', `the root in ${file} is not valid before ${new Date(notBefore).toISOString()}: is this machine's clock right?`)
}
