// Why a token does not do, in Envoy's words: clients, logs and dashboards know them.

const texts = {
  missing: 'Jwt is missing',
  notYetValid: 'Jwt not yet valid',
  expired: 'Jwt is expired',
  badFormat: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
  headerEncoding: 'Jwt header is an invalid Base64url encoded',
  headerJson: 'Jwt header is an invalid JSON',
  badAlgorithm: 'Jwt header [alg] field is required and must be a string',
  unknownAlgorithm: 'Jwt header [alg] is not supported',
  badKeyId: 'Jwt header [kid] field is not a string',
  payloadEncoding: 'Jwt payload is an invalid Base64url encoded',
  payloadJson: 'Jwt payload is an invalid JSON',
  badIssuer: 'Jwt payload [iss] field is not a string',
  badSubject: 'Jwt payload [sub] field is not a string',
  iatNotInteger: 'Jwt payload [iat] field is not an integer',
  iatOutOfRange: 'Jwt payload [iat] field is not a positive 64 bit integer',
  nbfNotInteger: 'Jwt payload [nbf] field is not an integer',
  nbfOutOfRange: 'Jwt payload [nbf] field is not a positive 64 bit integer',
  expNotInteger: 'Jwt payload [exp] field is not an integer',
  expOutOfRange: 'Jwt payload [exp] field is not a positive 64 bit integer',
  badId: 'Jwt payload [jti] field is not a string',
  badAudience: 'Jwt payload [aud] field is not a string or string list',
  signatureEncoding: 'Jwt signature is an invalid Base64url encoded',
  signatureLength: 'Jwt ED25519 signature is wrong length',
  unknownIssuer: 'Jwt issuer is not configured',
  audienceNotAllowed: 'Audiences in Jwt are not allowed',
  wrongSignature: 'Jwt verification fails',
  noKeys: "Jwks doesn't have any valid public key",
  noMatchingKey: "Jwks doesn't have key to match kid or alg from Jwt",
  fetchFailed: 'Jwks remote fetch is failed',
} as const

export type JwtFailure = keyof typeof texts

export const jwtFailures = Object.keys(texts) as readonly JwtFailure[]

export const failureText = (failure: JwtFailure): string => texts[failure]
