// What a RouteTest can expect. Every field is named as in the answer of `trysail explain -o json`, so who can read the one
// can write the other; the comparison is the command line's business.
import { z } from 'zod'
import { durationOrZero } from '../fields/duration.ts'
import { count, port } from '../fields/number.ts'

/** A list is for people to write. */
const maxListed = 256

const percentage = z.number().min(0).max(100).meta({ type: 'percent' })
const status = z.int().min(100).max(599)

const destination = z.strictObject({
  /** As in a VirtualService: short names are of the client's namespace. */
  host: z.string().min(1).optional(),
  /** Empty: none. */
  subset: z.string().optional(),
  port: port.optional(),
  weight: count.optional(),
  cluster: z.string().min(1).optional(),
})

const texts = z.record(z.string(), z.string()).meta({ type: 'map of string' })

const operations = z.strictObject({ set: texts.optional(), add: texts.optional(), remove: z.array(z.string()).max(maxListed).optional() })

export const expectation = z.strictObject({
  /** Where everything goes. */
  destination: destination.optional(),
  /** Where it is split to: all of them, in any order. */
  destinations: z.array(destination).max(maxListed).optional(),
  /** Of an answer that the mesh gives itself. */
  status: status.optional(),
  matchedVirtualService: z.string().min(1).optional(),
  routeName: z.string().optional(),
  routeIndex: count.optional(),
  matchIndex: count.optional(),
  timeout: durationOrZero.optional(),
  retries: z.strictObject({
    attempts: count.optional(),
    perTryTimeout: durationOrZero.optional(),
    /** In any order. */
    retryOn: z.string().optional(),
  }).optional(),
  rewrite: z.strictObject({ path: z.string().optional(), authority: z.string().optional() }).optional(),
  redirect: z.strictObject({
    code: z.int().min(300).max(399).optional(),
    scheme: z.string().optional(),
    authority: z.string().optional(),
    port: port.optional(),
    path: z.string().optional(),
  }).optional(),
  directResponse: z.strictObject({ status: status.optional(), body: z.string().optional() }).optional(),
  headers: z.strictObject({ request: operations.optional(), response: operations.optional() }).optional(),
  faults: z.strictObject({
    delay: z.strictObject({ fixedDelay: durationOrZero.optional(), percentage: percentage.optional() }).optional(),
    abort: z.strictObject({ httpStatus: status.optional(), grpcStatus: z.int().min(0).max(16).optional(), percentage: percentage.optional() }).optional(),
  }).optional(),
  mirrors: z.array(z.strictObject({ host: z.string().min(1).optional(), subset: z.string().optional(), percentage: percentage.optional() })).max(maxListed).optional(),
  policy: z.strictObject({
    loadBalancer: z.string().optional(),
    tls: z.enum(['ISTIO_MUTUAL', 'TLS', 'DISABLE', 'auto']).optional(),
    peerAuthentication: z.string().optional(),
    destinationRule: z.string().min(1).optional(),
    endpoints: count.optional(),
  }).optional(),
  /** Where this very request goes, as far as no draw decides it. */
  chosen: destination.omit({ weight: true }).extend({ endpoint: z.string().min(1).optional() }).optional(),
  session: z.strictObject({ by: z.array(z.string()).max(maxListed).optional(), decidesWeights: z.boolean().optional() }).optional(),
  /** Of the destinations that it can come to: all of them, in any order. */
  endpoints: z.array(z.strictObject({
    address: z.string().min(1).optional(),
    workload: z.string().optional(),
    locality: z.string().optional(),
    priority: count.optional(),
    priorityPercent: percentage.optional(),
    weight: count.optional(),
  })).max(maxListed).optional(),
  /** Whether the destination's proxies refuse the connection. */
  denied: z.boolean().optional(),
  /** The policy that refuses it, as `PeerAuthentication/default/strict`. */
  deniedBy: z.string().min(1).optional(),
  blocked: z.boolean().optional(),
  passthrough: z.boolean().optional(),
  protocol: z.enum(['http', 'tcp', 'tls']).optional(),
  /** Of the connection to the client's proxy or the gateway. */
  tls: z.strictObject({
    endsHere: z.boolean().optional(),
    serverNames: z.array(z.string()).max(maxListed).optional(),
    clientCertificate: z.enum(['required', 'optional', 'none']).optional(),
    secrets: z.array(z.string()).max(maxListed).optional(),
  }).optional(),
  listener: z.string().min(1).optional(),
  virtualHost: z.string().min(1).optional(),
})

export type Expectation = z.infer<typeof expectation>
