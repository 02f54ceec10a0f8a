// `grpc-timeout`: at most eight digits and a unit.

const unitMs = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 } as const

type Unit = keyof typeof unitMs

/** In milliseconds, rounded up; undefined when the text is no timeout. */
export function parseGrpcTimeout(text: string): number | undefined {
  const found = /^(\d{1,8})([HMSmun])$/.exec(text)
  return found === null ? undefined : Math.ceil(Number(found[1]) * unitMs[found[2] as Unit])
}

/** Of whole milliseconds; what does not fit in eight digits is said in seconds, then hours. */
export function formatGrpcTimeout(ms: number): string {
  const rounded = Math.max(0, Math.ceil(ms))
  if (rounded < 1e8) return `${rounded}m`
  const seconds = Math.ceil(rounded / 1000)
  return seconds < 1e8 ? `${seconds}S` : `${Math.min(99_999_999, Math.ceil(seconds / 3600))}H`
}
