// Addresses for what has none of its own: the same name gets the same address in every process and after every restart.
// A name's hash says where it would like to be; who finds the place taken takes the next one.

/** Virtual IPs of ServiceEntry hosts: Istio's range, which no network routes. */
export const serviceEntryRange = '240.240.0.0/16'
/** Of Kubernetes Services that no cluster gave a ClusterIP: kubeadm's default for those. */
export const serviceRange = '10.96.0.0/12'
/** Of Processes: what would be a Pod's IP. */
export const processRange = '10.128.0.0/10'

/** A pool hands out at most half of its range: beyond that, finding a free place takes long. */
const fullest = 0.5

export class AddressPool {
  readonly #base: number
  readonly #size: number
  #given = new Map<string, string>()

  /** An IPv4 range. Its first and last address are never given. */
  constructor(range: string) {
    const [address = '', bits = ''] = range.split('/')
    this.#base = toNumber(address)
    this.#size = 2 ** (32 - Number(bits))
  }

  /**
   * An address for each name, none of `taken`. Names keep what they have while they are asked for; new ones are served in
   * alphabetical order, so that the order of files does not matter. Names beyond the pool's limit get none.
   */
  assign(names: Iterable<string>, taken: ReadonlySet<string>): ReadonlyMap<string, string> {
    const sorted = [...new Set(names)].sort()
    const next = new Map<string, string>()
    const used = new Set<string>()
    for (const name of sorted) {
      const kept = this.#given.get(name)
      if (kept === undefined || taken.has(kept)) continue
      next.set(name, kept)
      used.add(kept)
    }
    for (const name of sorted) {
      if (next.has(name) || next.size >= this.#size * fullest) continue
      const address = this.#find(name, taken, used)
      next.set(name, address)
      used.add(address)
    }
    this.#given = next
    return next
  }

  #find(name: string, taken: ReadonlySet<string>, used: ReadonlySet<string>): string {
    const places = this.#size - 2
    for (let step = 0, place = hash(name) % places; ; step++, place = (place + 1) % places) {
      const address = toText(this.#base + 1 + place)
      // After a whole round all are taken by others; sharing is the lesser evil.
      if (step > places || (!used.has(address) && !taken.has(address))) return address
    }
  }
}

const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
const toText = (number: number): string => [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')

/** FNV-1a with a final mix: the low bits of similar names must differ too. */
function hash(text: string): number {
  let sum = 0x811c9dc5
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193)
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35)
  return (sum ^ (sum >>> 16)) >>> 0
}
