// Process: a workload that is a process on this machine. Services select it by label, as they select Pods.
import { z } from 'zod'
import { port as portNumber } from '../fields/number.ts'
import { error, type Frozen, type Kind, type Rule } from '../kind.ts'

const port = z.strictObject({
  name: z.string().default(''),
  containerPort: portNumber,
  /** Where peers reach it: its sidecar's inbound tap. `run` allocates it when it is not given. */
  hostPort: portNumber.optional(),
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
})

const seconds = (initial: number) => z.number().min(0).max(86_400).default(initial)

const probe = z.strictObject({
  httpGet: z
    .strictObject({
      path: z.string().default('/'),
      port: portNumber,
      scheme: z.enum(['HTTP', 'HTTPS']).default('HTTP'),
      httpHeaders: z.array(z.strictObject({ name: z.string().min(1), value: z.string() })).max(64).default([]),
    })
    .optional(),
  tcpSocket: z.strictObject({ port: portNumber }).optional(),
  initialDelaySeconds: seconds(0),
  periodSeconds: seconds(1),
  timeoutSeconds: seconds(1),
  successThreshold: z.int().min(1).max(1000).default(1),
  failureThreshold: z.int().min(1).max(1000).default(3),
})

const schema = z.strictObject({
  serviceAccount: z.string().min(1).default('default'),
  /** None: the process runs already, at `address`. */
  command: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  workingDir: z.string().optional(),
  address: z.string().min(1).default('127.0.0.1'),
  ports: z.array(port).max(256).default([]),
  proxyType: z.enum(['sidecar', 'router', 'none']).default('sidecar'),
  readiness: probe.optional(),
  terminationGracePeriodSeconds: seconds(10),
})

export type Process = z.infer<typeof schema>
export type ProcessSpec = Frozen<Process>

const rules: readonly Rule<Process>[] = [
  error(function* (spec) {
    const names = new Set<string>()
    const numbers = new Set<number>()
    for (const [index, one] of spec.ports.entries()) {
      if (one.name !== '' && names.has(one.name)) yield [['ports', index, 'name'], `the port ${one.name} is named twice`]
      if (numbers.has(one.containerPort)) {
        yield [['ports', index, 'containerPort'], `the port ${one.containerPort} is listed twice`]
      }
      names.add(one.name)
      numbers.add(one.containerPort)
    }
  }),
  error(function* (spec) {
    const check = spec.readiness
    if (check !== undefined && (check.httpGet === undefined) === (check.tcpSocket === undefined)) {
      yield [['readiness'], 'must have exactly one of httpGet and tcpSocket']
    }
  }),
  error(function* (spec) {
    if (spec.command.length > 0 && spec.command[0] === '') yield [['command', 0], 'must name a program']
    if (spec.proxyType === 'router' && spec.command.length > 0) {
      yield [['command'], 'a gateway (proxyType: router) has no command: it is the proxy itself']
    }
  }),
]

export const process: Kind<Process> = {
  kind: 'Process',
  group: 'trysail.dev',
  versions: ['v1'],
  scope: 'Namespaced',
  body: 'spec',
  schema,
  rules,
  notServed: [],
}
