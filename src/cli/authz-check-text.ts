// What `trysail authz check` found, for people.
import type { AuthzAnswer, CheckedRequest } from './authz-check.ts'
import { table } from './print.ts'

export function asText({ workload, policies, request }: AuthzAnswer): string {
  const list = policies.length === 0
    ? `no AuthorizationPolicy holds at ${workload}: everything is allowed\n`
    : table(['ACTION', 'AUTHORIZATION POLICY', 'RULES', 'FROM'], policies.map(({ action, policy, rules, dryRun, file, line }) => [dryRun ? `${action} (dry run)` : action, policy, String(rules), `${file}:${line}`]))
  return request === null ? list : `${list}\n${requestText(request)}`
}

function requestText({ port, principal, allowed, denied, token, verdicts }: CheckedRequest): string {
  const who = principal === null ? 'a client without a certificate' : principal
  const outcome = allowed || denied === null ? 'allowed' : `denied by ${denied.policy.replace('/', ' ')}${denied.rule === null ? '' : ` rule ${denied.rule}`}: ${denied.reason}`
  const lines = verdicts.map(({ action, policy, rule, dryRun, matches, why }) =>
    `  ${matches ? 'matches' : 'does not match'}  ${action}${dryRun ? ' (dry run)' : ''} ${policy.replace('AuthorizationPolicy/', '')}${rule === null ? '' : ` rule ${rule}`}: ${why}`)
  return `${[`from ${who}, to port ${port}: ${outcome}`, ...(token === null ? [] : [`  its token: ${token}`]), ...lines].join('\n')}\n`
}
