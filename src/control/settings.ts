// The settings of the control plane: where it listens, what it reads, whom it vouches for. File < env < flag.
import { choice, duration, port, text } from '../lib/settings.ts'
import type { SettingsOf } from '../lib/settings.ts'

export const controlSettingsTable = {
  address: text('127.0.0.1', 'Address to listen on with TLS (15012) and debug. 0.0.0.0 serves other hosts.'),
  xdsPort: port(15012, 'xDS and CA over mutual TLS; 0: any free port.'),
  plaintextPort: port(15010, 'xDS and CA without TLS, always on loopback; 0: any free port.'),
  debugPort: port(15014, 'Readiness, metrics and debug pages, on loopback; 0: any free port.'),
  stateDir: text('.trysail', 'Folder for what must survive a restart: the root of the CA.'),
  caDir: text('', 'Folder of a CA of your own, in the layout of Istio\'s Secret cacerts: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem, ca-crl.pem. It is followed. Without it, the Secret is taken where the files have it, and else a root is made in the state folder.'),
  tokenIssuer: text('', 'Issuer of the tokens that a platform gives its workloads, in Kubernetes\' shape; without it, none are taken.'),
  tokenKeysFile: text('', 'JSON Web Key Set of that issuer, a file. It is followed.'),
  tokenAudiences: text('istio-ca', 'Audiences of such tokens, separated by commas: one of them must be in the token.'),
  clusterId: text('Kubernetes', 'Name of the cluster or site that this control plane speaks for.'),
  trustDomain: text('cluster.local', 'Trust domain of the identities that it signs; MeshConfig.trustDomain wins.'),
  domain: text('cluster.local', 'DNS domain of the cluster.'),
  filesQuiet: duration('10ms', 'How long files must be quiet before a push: editors save in several steps.'),
  registryQuiet: duration('100ms', 'How long registries must be quiet before a push.'),
  pushCeiling: duration('10s', 'Changes that never end are pushed this often.'),
  certificateLifetime: duration('24h', 'Lifetime of workload certificates; shorter ones may be asked for.'),
  workloadGrace: duration('10s', 'How long a workload that registered itself by a WorkloadGroup stays when its proxy is gone.'),
  auditLog: text('', 'File of the audit log: who joined, which certificates were given, what changed. Without it, audit.log in the state folder; none: no audit log.'),
  jwksRefresh: duration('1m', 'How often keys of token issuers are fetched anew, which is how long the tokens of a new key may be refused; more often where an issuer says so.'),
  jwksRootsFile: text('', 'PEM file of further roots by which issuers of tokens are known, beside those of the system.'),
  logLevel: choice(['error', 'warning', 'info', 'debug'], 'info', 'What the log says.'),
}

export type ControlSettings = SettingsOf<typeof controlSettingsTable>

export const controlEnvPrefix = 'TRYSAIL_CONTROL_'

/** The defaults, with some replaced: for tests, and for a control plane inside another process. */
export function controlSettings(over: Partial<ControlSettings>): ControlSettings {
  const initial = Object.fromEntries(Object.entries(controlSettingsTable).map(([name, row]) => [name, row.initial]))
  return { ...(initial as ControlSettings), ...over }
}
