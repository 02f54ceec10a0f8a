// RequestAuthentications in the snapshot.
import type { RequestAuthenticationSpec } from '../../kinds/security/request-authentication.ts'
import type { Resource } from '../../model/resource.ts'

export type RequestAuthentication = Resource<RequestAuthenticationSpec>
