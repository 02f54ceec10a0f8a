// The CA of Istio's Secret `cacerts` in the root namespace, where the operator's files have one.
import { secretValue } from '../../kinds/core/secret.ts'
import { isKind } from '../../kinds/table.ts'
import type { Snapshot } from '../snapshot.ts'
import { caSecretName } from '../translate/secret/kubernetes.ts'
import type { CaPlace } from './signing.ts'

/** As the newest world has it, which may have none yet. */
export function caSecret(snapshot: () => Snapshot): CaPlace {
  const find = () => {
    const { resources, mesh } = snapshot()
    return resources.filter((one) => isKind(one, 'Secret')).find(({ metadata }) => metadata.name === caSecretName && metadata.namespace === mesh.rootNamespace)
  }
  return {
    name: `Secret ${snapshot().mesh.rootNamespace}/${caSecretName}`,
    isThere: () => find() !== undefined,
    read(part) {
      const secret = find()
      return Promise.resolve(secret === undefined ? undefined : secretValue(secret.spec, part)?.toString('utf8'))
    },
  }
}
