// How the application is asked whether it is well, as this machine's settings say: JSON in the shape of a WorkloadGroup's probe,
// which is that of a ProxyConfig's `readinessProbe`. Loaded only where there is one.
import { readinessProbe as schema } from '../../kinds/networking/workload-group.ts'
import { describe } from '../../lib/errors.ts'
import type { ReadinessProbe } from '../../proxy/main.ts'

/** What is wrong is added to `mistakes`. */
export function readReadinessProbe(text: string, mistakes: string[]): ReadinessProbe | undefined {
  const problem = (what: string): undefined => void mistakes.push(`--readiness-probe (readinessProbe): ${what}`)
  const parsed = json(text, problem)
  if (parsed === undefined) return undefined
  const read = schema.safeParse(parsed)
  if (!read.success) return problem(read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; '))
  const { initialDelaySeconds, periodSeconds, timeoutSeconds, successThreshold, failureThreshold } = read.data
  const method = methodOf(read.data)
  if (method === undefined) return problem('must have one of httpGet, tcpSocket and exec')
  return {
    initialDelayMs: initialDelaySeconds * 1000, periodMs: (periodSeconds || 10) * 1000, timeoutMs: (timeoutSeconds || 1) * 1000,
    successThreshold: successThreshold || 1, failureThreshold: failureThreshold || 3, method,
  }
}

function json(text: string, problem: (what: string) => undefined): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return problem(`is no JSON: ${describe(error)}`)
  }
}

function methodOf({ httpGet, tcpSocket, exec }: ReturnType<typeof schema.parse>): ReadinessProbe['method'] | undefined {
  if ([httpGet, tcpSocket, exec].filter((one) => one !== undefined).length !== 1) return undefined
  if (exec !== undefined) return { kind: 'exec', command: exec.command }
  if (tcpSocket !== undefined) return { kind: 'tcp', ...tcpSocket }
  const { host, port, path, scheme, httpHeaders } = httpGet! // one of the three
  return { kind: 'http', host, port, path: path.startsWith('/') ? path : `/${path}`, tls: scheme === 'HTTPS', headers: httpHeaders.map(({ name, value }) => [name, value]) }
}
