// The types of one ADS stream, and which of them is looked at next. Of a push, clusters go before what sends to them, and
// what is gone goes last; what the client asks for goes first.
import { breakOrder } from '../../xds/subscription.ts'
import type { Phase, Subscription } from '../../xds/subscription.ts'
import { canWildcard, pushOrder } from '../../xds/types.ts'
import type { TypeName } from '../../xds/types.ts'
import type { Variant } from './ads-variant.ts'
import type { ServedResource } from './resource-source.ts'

export interface Channel<Request> {
  readonly type: TypeName
  readonly subscription: Subscription<Request, ServedResource>
}

export interface Step<Request> {
  readonly channel: Channel<Request>
  readonly phase: Phase
}

interface Scheduled<Request> extends Channel<Request> {
  /** What of it has to be looked at. */
  readonly due: Set<Phase>
  /** The client waits for it. */
  asked: boolean
}

export class Channels<Request> {
  readonly #all: ReadonlyMap<TypeName, Scheduled<Request>>

  constructor({ subscribe }: Variant<Request>) {
    this.#all = new Map(pushOrder.map((type) => [type, { type, subscription: subscribe(canWildcard(type)), due: new Set(), asked: false }]))
  }

  of(type: TypeName): Channel<Request> {
    return this.#all.get(type)!
  }

  /** Those that the client has asked for. */
  watched(): readonly Channel<Request>[] {
    return [...this.#all.values()].filter(({ subscription }) => subscription.watched)
  }

  /** The type may differ from what the client holds. */
  changed(type: TypeName): void {
    this.#all.get(type)!.due.add('make').add('break')
  }

  /** The client waits for the type. */
  asked(type: TypeName): void {
    this.#all.get(type)!.asked = true
    this.changed(type)
  }

  /**
   * To be called anew after each response: a push may have come that has an earlier type again. What the client asked for
   * itself waits for no other type, since the client may wait for it before it answers.
   */
  next(): Step<Request> | undefined {
    const asked = this.#find(pushOrder, (one) => one.asked && !one.subscription.inFlight)
    if (asked !== undefined) return { channel: asked, phase: 'make' }
    const make = this.#find(pushOrder, ({ due }) => due.has('make'))
    if (make !== undefined) return { channel: make, phase: 'make' }
    const gone = this.#find(breakOrder, ({ due }) => due.has('break'))
    return gone === undefined ? undefined : { channel: gone, phase: 'break' }
  }

  /** A step is being looked at. */
  begin({ channel, phase }: Step<Request>): void {
    const scheduled = this.#all.get(channel.type)!
    scheduled.due.delete(phase)
    if (phase === 'make') scheduled.asked = false
  }

  #find(order: readonly TypeName[], wanted: (one: Scheduled<Request>) => boolean): Scheduled<Request> | undefined {
    return order.map((type) => this.#all.get(type)!).find(wanted)
  }
}
