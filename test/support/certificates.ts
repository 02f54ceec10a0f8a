// Certificates for tests, made with the openssl command: a root, and leaves with the SANs that a test asks for.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  readonly chain: string
  readonly key: string
}

export interface TestAuthority {
  readonly roots: string
  /** PEM, PKCS#8: for whoever signs in its name. */
  readonly key: string
  /** `san` as openssl spells it: `URI:spiffe://...,DNS:a.test`. Dates are days from now, for expired ones too. */
  issue(san: string, validDays?: { readonly from: number; readonly to: number }, key?: 'EC' | 'RSA'): TestCertificate
  /** A CA below this one; `more` are lines of openssl's extensions. */
  subordinate(commonName: string, more?: string): TestCertificate
  /** The list of all that were revoked so far. */
  revoke(certificate: TestCertificate): string
}

export function createAuthority(commonName = 'test root'): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-certificates-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const openssl = (...args: string[]): string => execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
  const key = (name: string, kind: 'EC' | 'RSA' = 'EC'): void => {
    const option = kind === 'EC' ? 'ec_paramgen_curve:P-256' : 'rsa_keygen_bits:2048'
    openssl('genpkey', '-algorithm', kind, '-pkeyopt', option, '-out', `${name}.key`)
  }
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
  key('ca')
  openssl('req', '-x509', '-new', '-key', 'ca.key', '-days', '10', '-subj', `/O=${commonName}`, '-out', 'ca.pem')
  for (const [name, text] of Object.entries({ 'index.txt': '', 'index.txt.attr': 'unique_subject = no', serial: '1000' })) {
    writeFileSync(join(folder, name), text)
  }
  let count = 0
  return {
    roots: read('ca.pem'),
    key: read('ca.key'),
    issue(san, { from, to } = { from: -1, to: 2 }, kind = 'EC') {
      const name = `leaf${count++}`
      key(name, kind)
      openssl('req', '-new', '-key', `${name}.key`, '-subj', '/O=trysail', '-out', `${name}.csr`)
      const configuration = `[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n[p]\n[x]\nsubjectAltName=${san}\n`
      writeFileSync(join(folder, `${name}.cnf`), configuration)
      openssl(
        'ca', '-batch', '-config', `${name}.cnf`, '-cert', 'ca.pem', '-keyfile', 'ca.key', '-in', `${name}.csr`, '-out', `${name}.pem`,
        '-notext', '-preserveDN', '-startdate', asn1Date(from), '-enddate', asn1Date(to),
      )
      return { chain: read(`${name}.pem`), key: read(`${name}.key`) }
    },
    subordinate(name, more = '') {
      const file = `sub${count++}`
      key(file)
      openssl('req', '-new', '-key', `${file}.key`, '-subj', `/O=${name}`, '-out', `${file}.csr`)
      writeFileSync(join(folder, `${file}.ext`), `basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n${more}\n`)
      openssl('x509', '-req', '-in', `${file}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', String(5000 + count), '-days', '5', '-extfile', `${file}.ext`, '-out', `${file}.pem`)
      return { chain: read(`${file}.pem`), key: read(`${file}.key`) }
    },
    revoke({ chain }) {
      writeFileSync(join(folder, 'revoked.pem'), chain)
      writeFileSync(join(folder, 'crl.cnf'), '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=2\n')
      const signed = ['-config', 'crl.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key']
      openssl('ca', ...signed, '-revoke', 'revoked.pem')
      openssl('ca', ...signed, '-gencrl', '-out', 'crl.pem')
      return read('crl.pem')
    },
  }
}

/** `20260102030405Z`. */
function asn1Date(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '')}`
}

/** A leaf that `ca` signs, whatever it is: a CA below another one, or none at all. */
export function leafBelow(ca: TestCertificate, san: string): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'trysail-certificates-'))
  try {
    const openssl = (...args: string[]): string => execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
    for (const [name, text] of Object.entries({ 'ca.pem': ca.chain, 'ca.key': ca.key, 'leaf.ext': `subjectAltName=${san}\n` })) writeFileSync(join(folder, name), text)
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'leaf.key')
    openssl('req', '-new', '-key', 'leaf.key', '-subj', '/O=trysail', '-out', 'leaf.csr')
    openssl('x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', '77', '-days', '2', '-extfile', 'leaf.ext', '-out', 'leaf.pem')
    return { chain: readFileSync(join(folder, 'leaf.pem'), 'utf8'), key: readFileSync(join(folder, 'leaf.key'), 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
