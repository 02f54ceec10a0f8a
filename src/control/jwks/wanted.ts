// Which keys the RequestAuthentications of a world need fetched.
import { isKind } from '../../kinds/table.ts'
import type { Resource } from '../../model/resource.ts'
import { keySource } from './key-fetch.ts'
import type { KeySource } from './key-fetch.ts'

export function keySourcesOf(resources: readonly Resource[]): readonly KeySource[] {
  return resources.flatMap((resource) => {
    if (!isKind(resource, 'RequestAuthentication')) return []
    const fetched = resource.spec.jwtRules.filter(({ jwks }) => jwks === undefined || jwks === '')
    return fetched.map(({ jwksUri, issuer, timeout }) => keySource(jwksUri, issuer, timeout))
  })
}
