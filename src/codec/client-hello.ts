// Reads the server name and the ALPN offer out of a TLS ClientHello, without a handshake: what a proxy needs to choose a
// filter chain. Takes the bytes as they came, possibly too few.

export type ClientHello =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'not-tls' }
  /** Lower case; empty when the client sent none. */
  | { readonly kind: 'hello'; readonly serverName: string; readonly alpn: readonly string[] }

const incomplete: ClientHello = { kind: 'incomplete' }
const notTls: ClientHello = { kind: 'not-tls' }

const handshakeRecord = 22
const clientHelloMessage = 1
const serverNameExtension = 0
const alpnExtension = 16
/** RFC 8446 §5.1. */
const maxRecordBytes = 16 * 1024

/**
 * The ClientHello must lie in one record, as every client in the field sends it; one that is cut into several counts as
 * `not-tls`, since guessing would let a client choose its chain by how it cuts.
 */
export function findClientHello(bytes: Uint8Array): ClientHello {
  if (bytes.length === 0) return incomplete
  if (bytes[0] !== handshakeRecord || (bytes.length > 1 && bytes[1] !== 3)) return notTls
  if (bytes.length < 6) return incomplete
  const recordLength = (bytes[3]! << 8) | bytes[4]!
  if (recordLength > maxRecordBytes || recordLength < 4 || bytes[5] !== clientHelloMessage) return notTls
  if (bytes.length < 5 + recordLength) return incomplete
  const reader = new Reader(bytes, 6, 5 + recordLength)
  const messageLength = reader.number(3)
  if (messageLength > recordLength - 4) return notTls
  return readHello(reader.block(messageLength)) ?? notTls
}

function readHello(hello: Reader): ClientHello | undefined {
  hello.skip(2 + 32) // legacy_version, random
  hello.skip(hello.number(1)) // session id
  hello.skip(hello.number(2)) // cipher suites
  hello.skip(hello.number(1)) // compression
  let serverName = ''
  let alpn: readonly string[] = []
  const extensions = hello.left === 0 ? hello : hello.block(hello.number(2))
  while (extensions.left > 0) {
    const type = extensions.number(2)
    const extension = extensions.block(extensions.number(2))
    if (type === serverNameExtension) serverName = readServerName(extension)
    else if (type === alpnExtension) alpn = readProtocols(extension)
  }
  return hello.broken || extensions.broken ? undefined : { kind: 'hello', serverName, alpn }
}

/** RFC 6066 §3: a list, of which only host names are defined, and only one of them. */
function readServerName(extension: Reader): string {
  const list = extension.block(extension.number(2))
  const type = list.number(1)
  const name = list.text(list.number(2))
  return type === 0 && !list.broken ? name.toLowerCase() : ''
}

function readProtocols(extension: Reader): readonly string[] {
  const list = extension.block(extension.number(2))
  const protocols: string[] = []
  while (list.left > 0) {
    const protocol = list.text(list.number(1))
    if (list.broken) return []
    protocols.push(protocol)
  }
  return protocols
}

/** Reads forward; past the end it is `broken`, which the parts read out of it report to it. */
class Reader {
  broken = false
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #outer: Reader | undefined
  #at: number

  constructor(bytes: Uint8Array, at: number, end: number, outer?: Reader) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
    this.#outer = outer
  }

  get left(): number {
    return this.broken ? 0 : this.#end - this.#at
  }

  number(size: number): number {
    if (!this.#has(size)) return 0
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + this.#bytes[this.#at++]!
    return value
  }

  skip(length: number): void {
    if (this.#has(length)) this.#at += length
  }

  text(length: number): string {
    if (!this.#has(length)) return ''
    const text = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length)).toString('latin1')
    this.#at += length
    return text
  }

  /** The next bytes as a reader of their own. */
  block(length: number): Reader {
    if (!this.#has(length)) return new Reader(this.#bytes, this.#at, this.#at, this)
    const block = new Reader(this.#bytes, this.#at, this.#at + length, this)
    this.#at += length
    return block
  }

  #has(length: number): boolean {
    if (!this.broken && this.#at + length <= this.#end) return true
    this.#break()
    return false
  }

  #break(): void {
    this.broken = true
    if (this.#outer !== undefined) this.#outer.#break()
  }
}
