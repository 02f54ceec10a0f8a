// The Date header, written once a second.

export class DateHeader {
  #second = -1
  #text = ''

  at(nowMs: number): string {
    const second = Math.floor(nowMs / 1000)
    if (second === this.#second) return this.#text
    this.#second = second
    return (this.#text = new Date(second * 1000).toUTCString())
  }
}
