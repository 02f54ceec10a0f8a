// Addresses of IPv6 for what was given one of IPv4: unique local ones (RFC 4193), which carry the other in their last 32
// bits. So nothing has to be remembered of them, and who knows the one knows the other.

/** Of Processes and what else is in their networks. */
export const processRangeV6 = 'fd74:7279:7361::/64'
/** Of Kubernetes Services. */
export const serviceRangeV6 = 'fd74:7279:7361:1::/64'

export const processV6 = (v4: string): string => below('fd74:7279:7361', v4)
export const serviceV6 = (v4: string): string => below('fd74:7279:7361:1', v4)

function below(prefix: string, v4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = v4.split('.').map(Number)
  return `${prefix}::${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}
