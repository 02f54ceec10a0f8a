// Options of sockets that node does not give: get and set by file descriptor, through the C library (koffi, an optional
// dependency, decision 0006). What an option means is its caller's business; whether there is a way to set it is said here.
import { createRequire } from 'node:module'
import type { Server, Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { netError } from './errors.ts'

/** An option as the kernel knows it. */
export interface SocketOption {
  /** For messages: `TCP_KEEPCNT`. */
  readonly name: string
  readonly level: number
  readonly code: number
}

export interface SocketOptions {
  /** Throws `net/failed` with the system's reason. A number is an `int`. */
  set(fd: number, option: SocketOption, value: number | Uint8Array): void
  /** As many bytes as the kernel answers, `maxBytes` at most. Throws `net/failed` likewise. */
  get(fd: number, option: SocketOption, maxBytes?: number): Buffer
  getNumber(fd: number, option: SocketOption): number
  /** Into memory of the caller, who asks for each connection: the length, or -1 where the kernel has no answer. */
  read(fd: number, option: SocketOption, into: Uint8Array): number
  /** A socket that is neither bound nor connected, so that options can come before. Throws `net/failed`. */
  create(kind: 'tcp' | 'udp', ipv6: boolean): number
}

/** AF_INET, AF_INET6; SOCK_STREAM and SOCK_DGRAM that do not block and are not inherited. */
const families = { v4: 2, v6: 10 } as const
const types = { tcp: 0o2004001, udp: 0o2004002 } as const

/** The numbers of Linux: they are other ones elsewhere. */
export const linuxOptions = {
  keepAlive: { name: 'SO_KEEPALIVE', level: 1, code: 9 },
  tcpKeepIdle: { name: 'TCP_KEEPIDLE', level: 6, code: 4 },
  tcpKeepInterval: { name: 'TCP_KEEPINTVL', level: 6, code: 5 },
  tcpKeepCount: { name: 'TCP_KEEPCNT', level: 6, code: 6 },
  tcpInfo: { name: 'TCP_INFO', level: 6, code: 11 },
  mark: { name: 'SO_MARK', level: 1, code: 36 },
  transparent: { name: 'IP_TRANSPARENT', level: 0, code: 19 },
  transparentV6: { name: 'IPV6_TRANSPARENT', level: 41, code: 75 },
  originalDestination: { name: 'SO_ORIGINAL_DST', level: 0, code: 80 },
  originalDestinationV6: { name: 'IP6T_SO_ORIGINAL_DST', level: 41, code: 80 },
} as const satisfies Record<string, SocketOption>

/** What node itself reads and writes through. */
export function handleOf(socket: Socket | Server): object | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  return typeof handle === 'object' && handle !== null ? handle : undefined
}

/** One of the two is there. */
export interface SocketOptionsAccess {
  readonly options: SocketOptions | undefined
  /** Why not, as a clause: `koffi is not installed`. */
  readonly problem: string | undefined
}

let access: SocketOptionsAccess | undefined

/** Looked for once, when it is first needed: most proxies never do. */
export function socketOptions(): SocketOptionsAccess {
  return (access ??= openSocketOptions(process.platform, () => createRequire(import.meta.url)('koffi')))
}

/** `load` brings koffi or throws. */
export function openSocketOptions(platform: NodeJS.Platform, load: () => unknown): SocketOptionsAccess {
  if (platform !== 'linux') return { options: undefined, problem: `there is no way to them on ${platform}` }
  try {
    const calls = bind(load())
    return calls === undefined ? { options: undefined, problem: 'this koffi is not the one that is known' } : { options: new LibraryOptions(calls), problem: undefined }
  } catch {
    return { options: undefined, problem: 'koffi is not installed' }
  }
}

/** The descriptor of a socket or server that is open; undefined when it has none (any more). */
export function descriptorOf(socket: Socket | Server): number | undefined {
  const handle = handleOf(socket)
  const fd: unknown = handle === undefined ? undefined : Reflect.get(handle, 'fd')
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}

/** Both answer 0, or -1 and an errno. */
interface Calls {
  set(fd: number, level: number, code: number, value: Uint8Array, length: number): number
  get(fd: number, level: number, code: number, value: Uint8Array, length: Uint32Array): number
  socket(family: number, type: number, protocol: number): number
  errno(): number
}

const signatures = {
  set: 'int setsockopt(int, int, int, const uint8_t *, uint32_t)',
  // Plain pointers: the kernel writes where it is told to, nothing is copied to and fro.
  get: 'int getsockopt(int, int, int, void *, void *)',
  socket: 'int socket(int, int, int)',
}

/** Undefined when it is not what it should be. The library is what the process has loaded already. */
function bind(koffi: unknown): Calls | undefined {
  if (!isKoffi(koffi)) return undefined
  const library = koffi.load(null)
  return {
    set: library.func<Calls['set']>(signatures.set), get: library.func<Calls['get']>(signatures.get), socket: library.func<Calls['socket']>(signatures.socket),
    errno: () => koffi.errno(),
  }
}

interface Koffi {
  load(path: null): { func<Call>(signature: string): Call }
  errno(): number
}

function isKoffi(value: unknown): value is Koffi {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'load') === 'function' && typeof Reflect.get(value, 'errno') === 'function'
}

/** The largest that is asked for here: a `sockaddr_storage`. */
const defaultMaxBytes = 128

class LibraryOptions implements SocketOptions {
  readonly #calls: Calls
  readonly #length = new Uint32Array(1)

  constructor(calls: Calls) {
    this.#calls = calls
  }

  set(fd: number, option: SocketOption, value: number | Uint8Array): void {
    const bytes = typeof value === 'number' ? new Uint8Array(Int32Array.of(value).buffer) : value
    if (this.#calls.set(fd, option.level, option.code, bytes, bytes.length) !== 0) throw this.#failure('set', option)
  }

  get(fd: number, option: SocketOption, maxBytes = defaultMaxBytes): Buffer {
    const bytes = Buffer.alloc(maxBytes)
    const length = this.read(fd, option, bytes)
    if (length < 0) throw this.#failure('get', option)
    return bytes.subarray(0, length)
  }

  read(fd: number, option: SocketOption, into: Uint8Array): number {
    this.#length[0] = into.length
    return this.#calls.get(fd, option.level, option.code, into, this.#length) === 0 ? this.#length[0] : -1
  }

  getNumber(fd: number, option: SocketOption): number {
    const bytes = this.get(fd, option, 4)
    return new Int32Array(bytes.buffer, bytes.byteOffset, 1)[0]!
  }

  create(kind: 'tcp' | 'udp', ipv6: boolean): number {
    const fd = this.#calls.socket(ipv6 ? families.v6 : families.v4, types[kind], 0)
    if (fd < 0) throw this.#failure('make', { name: 'a socket' })
    return fd
  }

  #failure(what: string, { name }: Pick<SocketOption, 'name'>): Error {
    return netError('net/failed', `cannot ${what} ${name}: ${getSystemErrorName(-this.#calls.errno())}`)
  }
}
