// What a CA signs with, read from a folder in Istio's layout: `ca-cert.pem` and `ca-key.pem`, `cert-chain.pem` for the
// certificates between it and a root, `root-cert.pem` for what everybody trusts, and `ca-crl.pem` for what is revoked. The
// names of kubernetes.io/tls (`tls.crt`, `tls.key`, `ca.crt`) are read too. Nothing is used that does not fit together.
import type { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { bundleProblem } from '../../security/x509/key-pair.ts'
import { openIssuer, readCertificate, validityOf } from '../../security/x509/issuer.ts'
import type { Issuer } from '../../security/x509/issuer.ts'
import { splitCertificates } from '../../security/x509/pem.ts'
import { caError } from './errors.ts'
import { readPresentFile, readSecretFile } from './state-folder.ts'

export interface Signing {
  /** Its validity is that of the whole chain: nothing that it signs may outlive it. */
  readonly issuer: Issuer
  /** PEM of the certificates between a leaf and a root, the signer's own first; none where the signer is a root. */
  readonly chain: readonly string[]
  /** PEM bundle. */
  readonly roots: string
  /** PEM, or empty. */
  readonly crl: string
}

/** Longer chains are a mistake, or an attack on whoever verifies them. */
const maxChain = 8

/** Where the parts of a CA stand. */
export interface CaPlace {
  /** For messages. */
  readonly name: string
  /** Whether there is anything. Without it there must be. */
  isThere?(): boolean
  /** Undefined when it is not there. */
  read(part: string): Promise<string | undefined>
}

/** `private`: the key must be readable by its owner only; folders that others mount cannot always be so. */
export function caFolder(folder: string, keyMode: 'private' | 'any'): CaPlace {
  return {
    name: folder,
    read: (part) => (keyMode === 'private' && part === 'ca-key.pem' ? readSecretFile(join(folder, part)) : readPresentFile(join(folder, part))),
  }
}

export async function readSigning(place: CaPlace, now: number): Promise<Signing> {
  const read = async (...parts: readonly string[]): Promise<string | undefined> => {
    for (const part of parts) {
      const text = await place.read(part)
      if (text !== undefined) return text
    }
    return undefined
  }
  const { name: folder } = place
  const [certificate, key] = [await read('ca-cert.pem', 'tls.crt'), await read('ca-key.pem', 'tls.key')]
  if (certificate === undefined || key === undefined) throw missing(folder, certificate === undefined ? 'ca-cert.pem' : 'ca-key.pem')
  const [roots, between, crl] = [await read('root-cert.pem', 'ca.crt'), await read('cert-chain.pem'), await read('ca-crl.pem')]
  return assemble({ folder, certificate, key, roots, between: between ?? '', crl: crl ?? '', now })
}

interface Parts {
  readonly folder: string
  readonly certificate: string
  readonly key: string
  readonly roots: string | undefined
  readonly between: string
  readonly crl: string
  readonly now: number
}

function assemble({ folder, certificate, key, roots, between, crl, now }: Parts): Signing {
  const [own = certificate, ...more] = splitCertificates(certificate)
  const issuer = openPair(own, key, folder)
  const signer = readCertificate(own)
  if (roots === undefined && !isRoot(signer)) throw missing(folder, 'root-cert.pem')
  const bundle = roots ?? own
  const problem = bundleProblem(bundle, crl)
  if (problem !== undefined) throw unusable(folder, `root-cert.pem or ca-crl.pem: ${problem}`)
  const chain = chainOf(signer, [...more, ...splitCertificates(between)].map(readCertificate), splitCertificates(bundle).map(readCertificate), folder)
  for (const one of chain) checkTime(one, folder, now)
  const ends = chain.map((one) => validityOf(one))
  return {
    issuer: { ...issuer, notBefore: Math.max(...ends.map(({ notBefore }) => notBefore)), notAfter: Math.min(...ends.map(({ notAfter }) => notAfter)) },
    chain: chain.filter((one) => !isRoot(one)).map((one) => `${one.toString().trimEnd()}\n`),
    roots: bundle, crl,
  }
}

/** From the signer to a root, both included. */
function chainOf(signer: X509Certificate, between: readonly X509Certificate[], roots: readonly X509Certificate[], folder: string): readonly X509Certificate[] {
  const chain = [signer]
  for (let at = signer; !isAmong(at, roots) && chain.length <= maxChain;) {
    const above = [...roots, ...between].find((one) => one.fingerprint256 !== at.fingerprint256 && at.checkIssued(one) && at.verify(one.publicKey))
    if (above === undefined) throw unusable(folder, `${nameOf(at)} leads to none of the roots in root-cert.pem: put what is between them into cert-chain.pem`)
    chain.push(above)
    at = above
  }
  if (chain.length > maxChain) throw unusable(folder, `the chain has more than ${maxChain} certificates`)
  return chain
}

const isAmong = (one: X509Certificate, others: readonly X509Certificate[]): boolean => others.some(({ fingerprint256 }) => fingerprint256 === one.fingerprint256)

const isRoot = (one: X509Certificate): boolean => one.checkIssued(one) && one.verify(one.publicKey)

const nameOf = ({ subject }: X509Certificate): string => `the certificate ${JSON.stringify(subject.replaceAll('\n', ', '))}`

function checkTime(one: X509Certificate, folder: string, now: number): void {
  const { notBefore, notAfter } = validityOf(one)
  if (now >= notAfter) throw caError('ca/expired', `${nameOf(one)} in ${folder} expired on ${new Date(notAfter).toISOString()}: ${isRoot(one) ? 'move its folder away to begin anew; every proxy then needs the new root' : 'give the CA a new one'}`)
  if (now < notBefore) throw caError('ca/expired', `${nameOf(one)} in ${folder} is not valid before ${new Date(notBefore).toISOString()}: is this machine's clock right?`)
}

function openPair(certificate: string, key: string, folder: string): Issuer {
  try {
    return openIssuer(certificate, key)
  } catch (error) {
    throw caError('ca/state', `ca-cert.pem and ca-key.pem in ${folder} cannot be used`, error)
  }
}

const missing = (folder: string, name: string) => caError('ca/state', `${name} is not in ${folder}: a CA has ca-cert.pem, ca-key.pem, root-cert.pem, and cert-chain.pem where something is between them`)
const unusable = (folder: string, why: string) => caError('ca/state', `the CA in ${folder} cannot be used: ${why}`)

/** By name and key: a root that was made again for longer vouches for the same. */
const rootsIn = (bundle: string): ReadonlySet<string> => new Set(splitCertificates(bundle).map(readCertificate).map(({ subject, publicKey }) => `${subject}\n${publicKey.export({ type: 'spki', format: 'pem' }).toString()}`))

/**
 * Why proxies could not follow from one to the other: what is signed by the new one must be trusted by those who only know
 * the old roots, and the other way round. Undefined: they can.
 */
export function rootChangeProblem(before: string, after: string): string | undefined {
  const [old, fresh] = [rootsIn(before), rootsIn(after)]
  const isPart = (some: ReadonlySet<string>, all: ReadonlySet<string>): boolean => [...some].every((one) => all.has(one))
  if (isPart(old, fresh) || isPart(fresh, old)) return undefined
  return 'its roots neither contain those before nor are part of them: first add the new root beside the old one, and take the old one away when nothing is signed by it any more'
}
