// Times in a log line, by Envoy's strftime formats. All in UTC.
import { badFormat } from './parse.ts'

export type FormatTime = (milliseconds: number) => string

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']
const two = (value: number): string => String(value).padStart(2, '0')
const dayOfYear = (at: Date): number => Math.floor((at.getTime() - Date.UTC(at.getUTCFullYear(), 0)) / 86_400_000) + 1

const specifiers: Readonly<Record<string, (at: Date) => string>> = {
  Y: (at) => String(at.getUTCFullYear()),
  y: (at) => two(at.getUTCFullYear() % 100),
  m: (at) => two(at.getUTCMonth() + 1),
  d: (at) => two(at.getUTCDate()),
  e: (at) => String(at.getUTCDate()).padStart(2),
  H: (at) => two(at.getUTCHours()),
  I: (at) => two(at.getUTCHours() % 12 || 12),
  M: (at) => two(at.getUTCMinutes()),
  S: (at) => two(at.getUTCSeconds()),
  p: (at) => (at.getUTCHours() < 12 ? 'AM' : 'PM'),
  a: (at) => days[at.getUTCDay()]!.slice(0, 3),
  A: (at) => days[at.getUTCDay()]!,
  b: (at) => months[at.getUTCMonth()]!.slice(0, 3),
  B: (at) => months[at.getUTCMonth()]!,
  j: (at) => String(dayOfYear(at)).padStart(3, '0'),
  F: (at) => at.toISOString().slice(0, 10),
  T: (at) => at.toISOString().slice(11, 19),
  s: (at) => String(Math.floor(at.getTime() / 1000)),
  z: () => '+0000',
  Z: () => 'UTC',
  f: (at) => subseconds(at, 9),
  '%': () => '%',
}

/** Envoy writes as many digits as asked for; we know three of them. */
const subseconds = (at: Date, digits: number): string => `${String(at.getUTCMilliseconds()).padStart(3, '0')}000000`.slice(0, digits)

/** Throws `telemetry/bad-format` for specifiers that it does not know. */
export function compileTime(format: string): FormatTime {
  const parts = [...format.matchAll(/%(?:(\d)f|E(\d)S|([a-zA-Z%]))|[^%]+|%/g)].map(part)
  return (milliseconds) => {
    const at = new Date(milliseconds)
    let result = ''
    for (const write of parts) result += write(at)
    return result
  }
}

function part([text, fraction, seconds, letter]: RegExpExecArray): (at: Date) => string {
  if (fraction !== undefined && fraction !== '0') return (at) => subseconds(at, Number(fraction))
  if (seconds !== undefined) return (at) => two(at.getUTCSeconds()) + (seconds === '0' ? '' : `.${subseconds(at, Number(seconds))}`)
  if (!text.startsWith('%')) return () => text
  const known = letter === undefined ? undefined : specifiers[letter]
  if (known === undefined) throw badFormat(`time format: ${text} is not known; use ${Object.keys(specifiers).map((name) => `%${name}`).join(' ')} or %3f`)
  return known
}

/** `2026-01-31T12:00:00.000Z`, Envoy's default. Requests of the same second share most of the text, of the same millisecond all. */
export function isoTimes(): FormatTime {
  let second = -1
  let prefix = ''
  let last = -1
  let text = ''
  return (milliseconds) => {
    if (milliseconds === last) return text
    last = milliseconds
    const now = Math.floor(milliseconds / 1000)
    if (now !== second) {
      second = now
      prefix = new Date(now * 1000).toISOString().slice(0, 20)
    }
    const rest = Math.floor(milliseconds - now * 1000)
    return (text = `${prefix}${rest < 100 ? (rest < 10 ? '00' : '0') : ''}${rest}Z`)
  }
}
