// Runs a table of cases through our proxies and through real Envoys below our control plane: both must show what the table
// says, and the same as each other.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createAuthority } from '../../support/certificates.ts'
import { findEnvoy } from '../envoy-binary.ts'
import { Backends } from './backends.ts'
import type { Place } from './backends.ts'
import type { Case } from './case.ts'
import { checkExpected, comparable, differences, destinationOf, placesOf, runCase } from './run.ts'
import type { Layout } from './mesh-files.ts'
import { asWritten } from './over.ts'
import type { Way } from './over.ts'
import { startEnvoys, startOurs } from './world.ts'
import type { Side } from './world.ts'

const { path: envoy, missing } = findEnvoy()
/** As many as two cores can carry: most wait most of the time. */
const concurrency = 12

/**
 * `nets`: the addresses of the two sides, which suites that run at the same time do not share. `ways`: each case is asked in each of
 * them, one after the other, of the same two meshes. `DIFFERENTIAL_ONLY` picks cases by title.
 */
export function differentialSuite(title: string, all: readonly Case[], nets: readonly [ours: string, envoy: string], ways: readonly Way[] = [asWritten]): void {
  const cases = all.filter((one) => one.title.includes(process.env['DIFFERENTIAL_ONLY'] ?? ''))
  void describe(title, { concurrency, timeout: 240_000 }, () => {
    const sides: { readonly side: Side; readonly places: (index: number) => readonly Place[] }[] = []
    let backends: Backends

    before(async () => {
      backends = await Backends.start()
      const inboundPorts = new Map<number, number>()
      for (const [index, one] of cases.entries()) if (one.role === 'inbound') inboundPorts.set(index, await backends.open())
      const authority = createAuthority()
      const start = async (net: string, make: (parts: Parameters<typeof startOurs>[0]) => Promise<Side>): Promise<void> => {
        const layout: Layout = { net, backendPort: backends.port, inboundPorts }
        // Anew for each way, since backends answer in turn.
        const places = (index: number): readonly Place[] => placesOf(cases[index]!, index, layout, backends)
        const destinations = cases.flatMap((one, index) => one.asks.map((asked) => destinationOf(one, index, asked, layout))).filter(({ role }) => role !== 'gateway')
        sides.push({ side: await make({ cases, layout, authority, destinations }), places })
      }
      await start(nets[0], startOurs)
      if (envoy !== undefined) await start(nets[1], (parts) => startEnvoys(parts, envoy))
    })

    after(async () => {
      for (const { side } of sides) await side[Symbol.asyncDispose]()
      await backends[Symbol.asyncDispose]()
    })

    const turns: Promise<void>[] = cases.map(() => Promise.resolve())
    for (const way of ways) {
      for (const [index, { title: name }] of cases.entries()) {
        const one = way.of(cases[index]!)
        if (one === undefined) continue
        const before = turns[index]!
        const done = Promise.withResolvers<void>()
        turns[index] = done.promise
        void test(name + way.name, () => before.then(() => compare(sides, one, index)).finally(done.resolve))
      }
    }

    void test('every document of the cases is valid, or says why not', () => {
      for (const { side } of sides) assert.deepEqual(side.issues.filter((line) => !(cases[Number(/^case-(\d+)/.exec(line)?.[1]) - 1]?.issues?.test(line) ?? false)), [])
    })

    void test('our proxies take everything', async () => {
      await sides[0]!.side.control.settle(10_000)
      assert.deepEqual(sides[0]!.side.complaints(), [])
    })

    void test('Envoy takes everything, without a warning, and shows the same in every case', { skip: missing ?? false }, async () => {
      await sides[1]!.side.control.settle(10_000)
      assert.deepEqual(sides[1]!.side.complaints(), [])
    })
  })
}

async function compare(sides: readonly { readonly side: Side; readonly places: (index: number) => readonly Place[] }[], one: Case, index: number): Promise<void> {
  const [ours, theirs] = await Promise.all(sides.map(({ side, places }) => runCase(one, index, side, places(index))))
  for (const [at, asked] of one.asks.entries()) checkExpected(asked.expect, asked, ours![at]!)
  if (theirs === undefined) return
  for (const [at, asked] of one.asks.entries()) {
    checkExpected(asked.differs?.envoy ?? asked.expect, asked, theirs[at]!)
    if (asked.differs !== undefined) continue
    const both: readonly unknown[] = [ours!, theirs].map((seen, side) => comparable(one, asked, seen[at]!, sides[side]!.side))
    assert.deepEqual(differences(both[0], both[1]), [], `request ${at + 1}`)
  }
}
