// `trysail control token`: a token with which a proxy that has no certificate yet shows who it is.
import { createBootstrapTokens } from '../control/ca/tokens.ts'
import { duration } from '../lib/settings.ts'
import { exitCode } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { controlStateOf, controlStateOptions } from './control-state.ts'
import { UsageError } from './usage-error.ts'

const lifetime = duration('10m', 'How long the token is good for.')

export const command: Command = {
  summary: 'Prints a token with which a proxy joins as one identity.',
  about: `Whoever has it can become that identity until it ends: hand it over as a file that only the proxy can read.
It is good for one certificate, with which the proxy gets the next ones. A proxy that joins over plaintext shows a token whenever
its certificate is renewed, and needs one that is --reusable.`,
  operands: [],
  options: [
    { name: 'identity', value: 'NAMESPACE/ACCOUNT', required: true, sentence: 'Namespace and service account.' },
    { name: 'reusable', sentence: 'Good for any number of certificates while it lasts.' },
    { name: 'lifetime', value: lifetime.type, initial: '10m', sentence: lifetime.sentence },
    ...controlStateOptions,
  ],
  examples: ['trysail control token --identity default/bookinfo-reviews > token'],
  async run(invocation, io) {
    const { namespace, serviceAccount, lifetimeMs } = wantedToken(invocation)
    const { stateDir, trustDomain } = controlStateOf(invocation)
    const tokens = await createBootstrapTokens({ stateDir })
    io.stdout(`${tokens.create({ trustDomain, namespace, serviceAccount }, lifetimeMs, invocation.flag('reusable') ? 'any' : 'one')}\n`)
    return exitCode.fine
  },
}

function wantedToken(invocation: Invocation): { readonly namespace: string; readonly serviceAccount: string; readonly lifetimeMs: number } {
  const given = invocation.text('identity') ?? ''
  const [, namespace, serviceAccount] = /^([a-z0-9][a-z0-9.-]*)\/([a-z0-9][a-z0-9.-]*)$/.exec(given) ?? []
  const lifetimeMs = lifetime.parse(invocation.text('lifetime') ?? '10m')
  const mistakes = [
    ...(namespace === undefined ? [`--identity must be NAMESPACE/ACCOUNT such as default/bookinfo-reviews, not ${JSON.stringify(given)}`] : []),
    ...(typeof lifetimeMs === 'number' && lifetimeMs > 0 ? [] : [`--lifetime must be a duration such as 10m, not ${JSON.stringify(invocation.text('lifetime'))}`]),
  ]
  if (namespace === undefined || serviceAccount === undefined || typeof lifetimeMs !== 'number' || mistakes.length > 0) throw new UsageError(mistakes)
  return { namespace, serviceAccount, lifetimeMs }
}
