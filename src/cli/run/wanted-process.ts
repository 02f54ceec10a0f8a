// A local process as `run` sees it: what a `Process` resource asks for, with everything looked up that starting it needs.
import type { Origin } from '../../model/resource.ts'

export interface WantedPort {
  readonly name: string
  readonly containerPort: number
  /** The sidecar's inbound port, where the file fixes it. */
  readonly hostPort: number | undefined
}

/** How to find out whether it can take requests. Without one: a TCP connect to its first port. */
export interface Probe {
  /** Undefined: connecting is enough. */
  readonly path: string | undefined
  readonly scheme: 'HTTP' | 'HTTPS'
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly containerPort: number
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly timeoutMs: number
  readonly failureThreshold: number
}

export interface WantedProcess {
  /** `namespace/name`. */
  readonly key: string
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  /** Istio's ones say what of its traffic is captured, where the kernel does that. */
  readonly annotations: Readonly<Record<string, string>>
  readonly serviceAccount: string
  readonly proxyType: 'sidecar' | 'router' | 'none'
  /** Program and arguments; empty for one that runs already, at `address`, and for gateways. */
  readonly command: readonly string[]
  readonly workingDirectory: string
  readonly env: Readonly<Record<string, string>>
  /** Where the program listens, and what its endpoints are known by. */
  readonly address: string
  readonly ports: readonly WantedPort[]
  readonly probe: Probe | undefined
  readonly graceMs: number
  readonly origin: Origin
}
