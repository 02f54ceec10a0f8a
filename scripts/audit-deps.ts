// `npm run audit:deps`: known vulnerabilities of what we ship with, as the registry tells them. Fails for moderate ones and
// worse. Where the registry cannot be asked it says so and passes: nothing is known then, which is not that all is well.
import { spawnSync } from 'node:child_process'

interface Finding {
  readonly severity: string
  readonly via: readonly (string | { readonly title?: string; readonly url?: string })[]
  readonly range?: string
}

interface Audit {
  readonly vulnerabilities?: Readonly<Record<string, Finding>>
  readonly message?: string
}

const tolerated: ReadonlySet<string> = new Set(['info', 'low'])
const timeoutMs = 60_000

const { stdout, error, signal } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8', timeout: timeoutMs, stdio: ['ignore', 'pipe', 'ignore'] })
const audit = parse(stdout ?? '')
if (audit?.vulnerabilities === undefined) {
  const why = audit?.message ?? error?.message ?? (signal === null ? 'npm gave no answer that can be read' : `no answer within ${timeoutMs / 1000} s`)
  console.log(`SKIPPED the audit of dependencies: the registry cannot be asked (${why})`)
} else {
  process.exitCode = report(Object.entries(audit.vulnerabilities))
}

function parse(text: string): Audit | undefined {
  try {
    return JSON.parse(text) as Audit
  } catch {
    return undefined // said by whoever asked
  }
}

function report(findings: readonly (readonly [string, Finding])[]): number {
  for (const [name, { severity, via, range = '' }] of findings) {
    console.log(`${severity}: ${name} ${range}: ${via.map((one) => (typeof one === 'string' ? `by ${one}` : `${one.title ?? ''} ${one.url ?? ''}`.trim())).join('; ')}`)
  }
  const bad = findings.filter(([, { severity }]) => !tolerated.has(severity)).length
  console.log(findings.length === 0 ? 'no known vulnerability in what we ship with' : `${findings.length} packages with known vulnerabilities, ${bad} of them moderate or worse`)
  return bad === 0 ? 0 : 1
}
