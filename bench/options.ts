// The bench's command line.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  /** Names of scenarios; empty for all. */
  readonly only: readonly string[]
  /** Requests a second of the open loop; 0: closed loop. */
  readonly rate: number
  /** Where the raw figures go. */
  readonly json: string | undefined
  /** Exit 1 when a bar is not held. */
  readonly gate: boolean
  /** For the Node of our proxies: `--cpu-prof`. */
  readonly nodeFlags: readonly string[]
  /** Another tree of ours that is measured beside this one; with flags of its own. */
  readonly base: { readonly tree: string; readonly nodeFlags: readonly string[] } | undefined
  /** Leave a real Envoy out, also where there is one. */
  readonly withoutEnvoy: boolean
}

export const usage = `npm run bench -- [options]: our proxies beside nginx, HAProxy, nghttpx and Envoy, on this machine (Linux).

  --rounds N     interleaved rounds (5); believe a ratio only from 4 on
  --secs S       seconds of load in each (2)
  --conns N      connections (64)
  --rate N       requests a second, sent when they are due, instead of as fast as answers come
  --only NAME    gateway, inbound, outbound, hop, hop-rate, tail, relay, relay-bulk, tls-relay, tls-relay-bulk, bulk, churn, tls-churn, h2,
                 grpc, h2-bulk or memory; may be given several times
  --json FILE    raw figures (bench/results/TIME.json)
  --gate         exit 1 when a bar is not held
  --node-flag F  a flag for the Node of our proxies; may be given several times
  --base DIR     measure the proxies of another tree as well (\`.\`: this one, for --base-flag)
  --base-flag F  a flag for the Node of those; may be given several times
  --no-envoy     leave Envoy out
  --help

Needs nginx, haproxy, gcc and libssl-dev (apt-get install nginx haproxy gcc libssl-dev), and nghttp2 for HTTP/2.
`

/** Undefined for --help. Throws for what cannot be understood. */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' }, secs: { type: 'string' }, conns: { type: 'string' }, rate: { type: 'string' },
      only: { type: 'string', multiple: true }, json: { type: 'string' }, gate: { type: 'boolean' },
      'node-flag': { type: 'string', multiple: true }, base: { type: 'string' }, 'base-flag': { type: 'string', multiple: true }, 'no-envoy': { type: 'boolean' }, help: { type: 'boolean' },
    },
  })
  if (values.help === true) return undefined
  return {
    rounds: positive('--rounds', values.rounds, 5),
    seconds: positive('--secs', values.secs, 2),
    connections: positive('--conns', values.conns, 64),
    only: values.only ?? [],
    rate: values.rate === undefined ? 0 : positive('--rate', values.rate, 0),
    json: values.json,
    gate: values.gate ?? false,
    nodeFlags: values['node-flag'] ?? [],
    base: values.base === undefined ? undefined : { tree: resolve(values.base), nodeFlags: values['base-flag'] ?? [] },
    withoutEnvoy: values['no-envoy'] ?? false,
  }
}

function positive(option: string, text: string | undefined, initial: number): number {
  const value = text === undefined ? initial : Number(text)
  if (!(value > 0)) throw new Error(`${option} must be a number greater than 0, not ${JSON.stringify(text)}`)
  return value
}
