import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../test/support/manual-clock.ts'
import { settle } from '../../test/support/connection-pair.ts'
import { resource } from '../../test/support/bookinfo-world.ts'
import { ModeSwitch, quietMs, serverMode, stepMs } from './peer-mode-switch.ts'
import type { PeerModes } from './peer-mode-switch.ts'
import { PeerAuthenticationIndex } from './snapshot/peer-authentication.ts'
import type { PeerAuthentication } from './snapshot/peer-authentication.ts'

const indexOf = (mode: string): PeerAuthenticationIndex => new PeerAuthenticationIndex([resource('PeerAuthentication', 'all', { mtls: { mode } }) as PeerAuthentication], 'istio-system')
const peer = { namespace: 'default', labels: {} }

/** A control plane of which only the modes are looked at. `answers`: proxies take every push at once. */
class Control {
  readonly clock = manualClock()
  readonly #switch: ModeSwitch
  #target = indexOf('PERMISSIVE')
  #modes: PeerModes | undefined
  #generation = 0

  constructor(answers: boolean) {
    const { clock } = this
    this.#switch = new ModeSwitch({
      clock,
      waitFor: (_, timeoutMs) => (answers ? Promise.resolve({ complete: true, total: 2 }) : new Promise((resolve) => void clock.after(timeoutMs, () => resolve({ complete: false, total: 2 })))),
      onStep: () => this.#push(),
    })
    this.#push()
  }

  write(mode: string): void {
    this.#target = indexOf(mode)
    this.#push()
  }

  /** What the port takes, and what clients are told of it. */
  get says(): string {
    return `${serverMode(this.#modes!, peer, 80)} ${this.#modes!.clients.modeOf(peer, 80)}`
  }

  async after(ms: number): Promise<string> {
    await this.clock.advance(ms)
    await settle()
    return this.says
  }

  #push(): void {
    this.#modes = this.#switch.modesFor(this.#target)
    this.#switch.follow(++this.#generation)
  }
}

test('between modes that both take mutual TLS nothing is waited for', () => {
  const control = new Control(true)
  control.write('STRICT')
  assert.equal(control.says, 'STRICT STRICT')
})

test('a port takes both, then its clients change, then it refuses what it took before', async () => {
  const control = new Control(true)
  control.write('STRICT')
  await control.after(0)
  control.write('DISABLE')
  assert.equal(control.says, 'PERMISSIVE STRICT')
  assert.equal(await control.after(0), 'PERMISSIVE STRICT')
  assert.equal(await control.after(quietMs), 'PERMISSIVE DISABLE')
  assert.equal(await control.after(0), 'PERMISSIVE DISABLE')
  assert.equal(await control.after(quietMs), 'DISABLE DISABLE')
})

test('a proxy that never answers keeps no port open: STRICT holds after two steps', async () => {
  const control = new Control(false)
  control.write('DISABLE')
  await control.after(0)
  await control.after(stepMs)
  assert.equal(await control.after(stepMs), 'DISABLE DISABLE')
  control.write('STRICT')
  await control.after(0)
  assert.equal(control.says, 'PERMISSIVE DISABLE')
  assert.equal(await control.after(stepMs), 'PERMISSIVE STRICT')
  assert.equal(await control.after(stepMs), 'STRICT STRICT')
})

test('nor do policies that change again and again keep it open', async () => {
  const control = new Control(false)
  control.write('DISABLE')
  await control.after(0)
  await control.after(stepMs)
  await control.after(stepMs)
  for (let at = 0; at < 2 * stepMs; at += stepMs / 10) {
    control.write('STRICT')
    await control.after(stepMs / 10)
  }
  assert.equal(control.says, 'STRICT STRICT')
})

test('a change back while clients still go by what was before needs no more of them', async () => {
  const control = new Control(true)
  control.write('DISABLE')
  assert.equal(control.says, 'PERMISSIVE PERMISSIVE')
  control.write('PERMISSIVE')
  assert.equal(control.says, 'PERMISSIVE PERMISSIVE')
  await control.after(0)
  await control.after(quietMs)
  await control.after(0)
  assert.equal(await control.after(quietMs), 'PERMISSIVE PERMISSIVE')
})
