// `npm run audit:deps`: known vulnerabilities of what we ship with, as the registry tells them. Fails for moderate ones and
// worse. Where the registry cannot be asked it says so, loudly, and passes (with `--required` it fails): nothing is known then,
// which is not that all is well. What can still be asked is whether maintainers have withdrawn one of the versions.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

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

const npm = (...args: readonly string[]) => spawnSync('npm', [...args], { encoding: 'utf8', timeout: timeoutMs, stdio: ['ignore', 'pipe', 'ignore'] })
const { stdout, error, signal } = npm('audit', '--omit=dev', '--json')
const audit = parse(stdout ?? '')
if (audit?.vulnerabilities === undefined) {
  const why = audit?.message ?? error?.message ?? (signal === null ? 'npm gave no answer that can be read' : `no answer within ${timeoutMs / 1000} s`)
  console.log(`${'!'.repeat(90)}\n!! SKIPPED the audit of dependencies: the registry cannot be asked (${why})\n!! Nothing is known of vulnerabilities: run it where the registry answers\n${'!'.repeat(90)}`)
  process.exitCode = withdrawn() + (process.argv.includes('--required') ? 1 : 0) > 0 ? 1 : 0
} else {
  process.exitCode = report(Object.entries(audit.vulnerabilities))
}

/** How many versions that we ship with their maintainers have withdrawn, as they do with those that have a hole. */
function withdrawn(): number {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Readonly<Record<'dependencies' | 'optionalDependencies', Readonly<Record<string, string>>>>
  const asked = Object.entries({ ...dependencies, ...optionalDependencies }).map(([name, version]) => ({ name: `${name}@${version}`, ...npm('view', `${name}@${version}`, 'version', 'deprecated', '--json') }))
  const known = asked.filter((one) => one.status === 0 && one.stdout.trim() !== '')
  const found = known.flatMap(({ name, stdout: text }) => {
    const [, why] = /"deprecated": *"(.*)"/.exec(text) ?? []
    return why === undefined ? [] : [`withdrawn: ${name}: ${why}`]
  })
  for (const line of found) console.log(line)
  console.log(`${known.length} of ${asked.length} versions that we name could be looked up, ${found.length} of them withdrawn by their maintainers`)
  return found.length
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
