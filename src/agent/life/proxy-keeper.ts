// Keeps one proxy beside the program: starts it again when it breaks, and lets a newer one take over from it while both run.
// What a proxy is, a process or a part of this one, is its caller's business.
import type { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { spawn } from '../../lib/errors.ts'

/** One proxy that was started. */
export interface LifeProxy {
  /** It serves: certificate, configuration, and where it captures traffic, a probe of its own came back. Never rejects. */
  readonly ready: Promise<void>
  /** Its exit code. */
  readonly ended: Promise<number>
  /** Withdraws the endpoint and drains what comes from outside, under one deadline. Resolves then, or when it is gone. */
  leave(): Promise<void>
  /** Ends it: what is left of that deadline is for what the program still has open. */
  end(): Promise<void>
}

export interface KeeperParts {
  /** `takesOver`: from the one that runs. */
  start(takesOver: boolean): LifeProxy
  readonly backoff: Backoff
  readonly clock: Clock
  log(line: string): void
}

export class ProxyKeeper {
  /** The first one that serves. */
  readonly ready: Promise<void>
  /** The exit code of one that never served: nothing is gained by starting it again. */
  readonly gaveUp: Promise<number>
  readonly #parts: KeeperParts
  readonly #served = Promise.withResolvers<void>()
  readonly #lost = Promise.withResolvers<number>()
  #current: LifeProxy
  /** On its way to take over. */
  #next: LifeProxy | undefined
  #everServed = false
  #ending = false
  #cancelRestart: () => void = () => {}

  constructor(parts: KeeperParts) {
    this.#parts = parts
    this.ready = this.#served.promise
    this.gaveUp = this.#lost.promise
    this.#current = this.#start(false)
  }

  /** A newer one, such as after an update of this package: it goes on with the sockets of the one that runs, which drains. */
  async upgrade(): Promise<void> {
    if (this.#ending) return
    if (this.#next !== undefined) return this.#parts.log('a newer proxy is on its way already')
    const next = this.#parts.start(true)
    this.#next = next
    const first = await Promise.race([next.ready.then(() => 'ready' as const), next.ended])
    this.#next = undefined
    if (first !== 'ready') return this.#parts.log(`the newer proxy ended with code ${first}: the one that runs goes on`)
    this.#current = next
    this.#watch(next)
    this.#parts.log('a newer proxy has taken over')
  }

  async leave(): Promise<void> {
    this.#ending = true
    await this.#current.leave()
  }

  async end(): Promise<void> {
    this.#ending = true
    this.#cancelRestart()
    await Promise.all([this.#current.end(), this.#next?.end()])
  }

  #start(takesOver: boolean): LifeProxy {
    const proxy = this.#parts.start(takesOver)
    spawn('a proxy that serves', proxy.ready.then(() => {
      this.#everServed = true
      this.#parts.backoff.reset()
      this.#served.resolve()
    }))
    this.#watch(proxy)
    return proxy
  }

  #watch(proxy: LifeProxy): void {
    spawn('a proxy that ends', proxy.ended.then((code) => {
      if (this.#current === proxy && !this.#ending) this.#onEnd(code)
    }))
  }

  #onEnd(code: number): void {
    if (!this.#everServed) return this.#lost.resolve(code)
    const pauseMs = this.#parts.backoff.next()
    this.#parts.log(`the proxy ended with code ${code}; next start in ${(pauseMs / 1000).toFixed(1)} s`)
    this.#cancelRestart = this.#parts.clock.after(pauseMs, () => {
      this.#current = this.#start(false)
    })
  }
}
