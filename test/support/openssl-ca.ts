// A certificate authority made by openssl, independent of our own: what tests hold our TLS against.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certified {
  readonly chain: string
  readonly key: string
  readonly chainFile: string
  readonly keyFile: string
}

export class OpensslCa implements Disposable {
  readonly roots: string
  readonly rootsFile: string
  readonly #dir: string
  #serial = 1

  constructor(name = 'test root') {
    this.#dir = mkdtempSync(join(tmpdir(), 'trysail-ca-'))
    this.rootsFile = join(this.#dir, 'root.pem')
    this.#run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'root.key', '-out', 'root.pem', '-days', '2', '-subj', `/O=${name}`)
    this.roots = readFileSync(this.rootsFile, 'utf8')
  }

  /** `names`: `URI:spiffe://...`, `DNS:...`. Negative days: expired. */
  issue(names: string, days = 1): Certified {
    const serial = this.#serial++
    const [key, request, chain, extensions] = ['key', 'csr', 'pem', 'ext'].map((kind) => `${serial}.${kind}`) as [string, string, string, string]
    writeFileSync(join(this.#dir, extensions), `subjectAltName=${names}\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n`)
    this.#run('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', request, '-subj', '/O=workload')
    this.#run('x509', '-req', '-in', request, '-CA', 'root.pem', '-CAkey', 'root.key', '-set_serial', String(serial), '-out', chain, '-extfile', extensions, '-days', String(days))
    const read = (file: string) => readFileSync(join(this.#dir, file), 'utf8')
    return { chain: read(chain), key: read(key), chainFile: join(this.#dir, chain), keyFile: join(this.#dir, key) }
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #run(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#dir, stdio: ['ignore', 'ignore', 'pipe'] })
  }
}
