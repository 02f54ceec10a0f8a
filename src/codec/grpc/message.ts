// The text of `grpc-message`: UTF-8 in which every byte that is no printable ASCII, and the percent sign, is percent-encoded.

/** Longer texts are cut: the header must fit into what peers take as headers (8 KB is the smallest limit in use). */
const maxEncodedLength = 4096

export function encodeGrpcMessage(text: string): string {
  let encoded = ''
  for (const character of text) {
    const next = /[ -$&-~]/.test(character) ? character : percentEncode(character)
    if (encoded.length + next.length > maxEncodedLength) break
    encoded += next
  }
  return encoded
}

function percentEncode(character: string): string {
  return [...new TextEncoder().encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}

/** Never fails: what is no valid encoding stands for itself, as the specification asks. */
export function decodeGrpcMessage(encoded: string): string {
  const bytes: number[] = []
  for (let at = 0; at < encoded.length; at++) {
    const hex = encoded[at] === '%' ? encoded.slice(at + 1, at + 3) : ''
    if (/^[0-9a-f]{2}$/i.test(hex)) {
      bytes.push(Number.parseInt(hex, 16))
      at += 2
    } else {
      bytes.push(...new TextEncoder().encode(encoded[at]))
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes))
}
