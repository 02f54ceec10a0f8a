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
import { startEnvoys, startOurs } from './world.ts'
import type { Side } from './world.ts'

const { path: envoy, missing } = findEnvoy()
/** As many as two cores can carry: most wait most of the time. */
const concurrency = 12

/** `nets`: the addresses of the two sides, which suites that run at the same time do not share. `DIFFERENTIAL_ONLY` picks cases by title. */
export function differentialSuite(title: string, all: readonly Case[], nets: readonly [ours: string, envoy: string]): void {
  const cases = all.filter((one) => one.title.includes(process.env['DIFFERENTIAL_ONLY'] ?? ''))
  void describe(title, { concurrency, timeout: 240_000 }, () => {
    const sides: { readonly side: Side; readonly places: readonly (readonly Place[])[] }[] = []
    let backends: Backends

    before(async () => {
      backends = await Backends.start()
      const inboundPorts = new Map<number, number>()
      for (const [index, one] of cases.entries()) if (one.role === 'inbound') inboundPorts.set(index, await backends.open())
      const authority = createAuthority()
      const start = async (net: string, make: (parts: Parameters<typeof startOurs>[0]) => Promise<Side>): Promise<void> => {
        const layout: Layout = { net, backendPort: backends.port, inboundPorts }
        const places = cases.map((one, index) => placesOf(one, index, layout, backends))
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

    for (const [index, one] of cases.entries()) {
      void test(one.title, async () => {
        const [ours, theirs] = await Promise.all(sides.map(({ side, places }) => runCase(one, index, side, places[index]!)))
        for (const [at, asked] of one.asks.entries()) checkExpected(asked.expect, asked, ours![at]!)
        if (theirs === undefined) return
        for (const [at, asked] of one.asks.entries()) {
          checkExpected(asked.differs?.envoy ?? asked.expect, asked, theirs[at]!)
          if (asked.differs !== undefined) continue
          const both: readonly unknown[] = [ours!, theirs].map((seen, side) => comparable(one, asked, seen[at]!, sides[side]!.side))
          assert.deepEqual(differences(both[0], both[1]), [], `request ${at + 1}`)
        }
      })
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
