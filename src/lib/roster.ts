// Who is there now, where members come and go by the ten thousand a second. A Set would be rebuilt every few dozen of them, and
// each table that it leaves behind keeps the members of its time alive until the next full collection: they grow old, and
// memory with them.

export interface Listed {
  /** Its place in the one roster that it stands in; -1 outside. For the roster alone. */
  listIndex: number
}

export class Roster<Member extends Listed> {
  readonly #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  add(member: Member): void {
    if (member.listIndex === -1) member.listIndex = this.#members.push(member) - 1
  }

  /** The last one takes its place. */
  delete(member: Member): void {
    const at = member.listIndex
    if (at === -1) return
    member.listIndex = -1
    const last = this.#members.pop()!
    if (last === member) return
    this.#members[at] = last
    last.listIndex = at
  }

  /** Those of this moment, any of which may leave meanwhile. */
  all(): readonly Member[] {
    return this.#members.slice()
  }

  /** Backwards, without a list: what takes the place of a member that leaves meanwhile has been visited already. */
  each(visit: (member: Member) => void): void {
    for (let i = this.#members.length - 1; i >= 0; i--) {
      const member = this.#members[i]
      if (member !== undefined) visit(member)
    }
  }
}
