// Where an application has its metrics, as the annotations of its Pod say (ISTIO_PROMETHEUS_ANNOTATIONS).
import { z } from 'zod'
import { describe } from '../../lib/errors.ts'

export interface AppMetrics {
  readonly port: number
  readonly path: string
}

/** Ports of the proxy and the agent: to scrape them would be a circle. */
const reserved: ReadonlySet<number> = new Set([15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090])

const annotations = z.object({
  scrape: z.enum(['true', 'false', '']).default('true'),
  port: z.string().regex(/^\d{0,5}$/, 'must be a port').default(''),
  path: z.string().default(''),
})

/** Of ISTIO_PROMETHEUS_ANNOTATIONS; undefined: the application has no metrics. What is wrong is added to `mistakes`. */
export function readAppMetrics(text: string, mistakes: string[]): AppMetrics | undefined {
  if (text === '') return undefined
  try {
    const { scrape, port, path } = annotations.parse(JSON.parse(text))
    if (scrape === 'false') return undefined
    const number = Number(port || 80)
    if (number === 0 || number > 65_535 || reserved.has(number)) throw new Error(`port ${port} is the proxy's own, or none`)
    return { port: number, path: path === '' ? '/metrics' : path.startsWith('/') ? path : `/${path}` }
  } catch (error) {
    mistakes.push(`ISTIO_PROMETHEUS_ANNOTATIONS: ${error instanceof z.ZodError ? error.issues.map(({ path: at, message }) => `${at.join('.')} ${message}`).join('; ') : describe(error)}`)
    return undefined
  }
}
