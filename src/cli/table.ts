// The commands, in the order in which help lists them. Each is loaded only when it is used.
import type { CommandRow } from './command.ts'

export const commands: readonly CommandRow[] = [
  { name: 'run', summary: 'Runs the mesh of these files on this machine: control plane, proxies, processes.', load: async () => (await import('./run.ts')).command },
  { name: 'control', summary: 'Runs the control plane alone: proxies on this machine and others join it.', load: async () => (await import('./control.ts')).command },
  { name: 'control token', summary: 'Prints a token with which a proxy joins as one identity.', load: async () => (await import('./control-token.ts')).command },
  { name: 'control roots', summary: 'Prints the root certificates of the control plane, as PEM.', load: async () => (await import('./control-roots.ts')).command },
  { name: 'proxy', summary: 'Runs one proxy alone: a sidecar or a gateway that joins a control plane.', load: async () => (await import('./proxy.ts')).command },
  { name: 'agent capture', summary: "Captures a workload's traffic: the rules that bring it to its proxy.", load: async () => (await import('./agent-capture.ts')).command },
  { name: 'agent run', summary: 'Runs a program beside its proxy: the proxy first, and one end for both.', load: async () => (await import('./agent-run.ts')).command },
  { name: 'validate', summary: 'Checks files: every mistake with its line, and what is not served yet.', load: async () => (await import('./validate.ts')).command },
  { name: 'explain', summary: 'Says what the mesh would do with a request, and why.', load: async () => (await import('./explain.ts')).command },
  { name: 'test', summary: 'Runs tests of routing: requests in, destinations, rewrites, retries and refusals out.', load: async () => (await import('./test.ts')).command },
  { name: 'xds dump', summary: 'Shows the xDS that a proxy would be sent.', load: async () => (await import('./xds-dump.ts')).command },
  { name: 'proxy-status', summary: 'Shows the connected proxies and what each has taken.', load: async () => (await import('./proxy-status.ts')).command },
  { name: 'proxy-config', summary: 'Shows what a running proxy has accepted.', load: async () => (await import('./proxy-config.ts')).command },
  { name: 'authn readiness', summary: 'Says which clients STRICT mutual TLS would turn away, before it does.', load: async () => (await import('./authn-readiness.ts')).command },
  { name: 'authz check', summary: 'Shows the AuthorizationPolicies of a workload, and what they decide.', load: async () => (await import('./authz-check.ts')).command },
  { name: 'version', summary: 'Shows the version of Trysail and of Node.', load: async () => (await import('./version.ts')).command },
]
