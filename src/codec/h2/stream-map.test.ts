import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { StreamMap } from './stream-map.ts'
import { Stream } from './stream.ts'
import type { StreamOwner } from './stream.ts'

const owner: StreamOwner<undefined> = { sendRequest() {}, sendResponse() {}, sendData: () => true, sendEnd() {}, abort() {}, giveWindow() {} }
const streamOf = (id: number) => new Stream(owner, id, undefined, 0, 0, 0)

test('it holds what a Map would hold, whatever is added and deleted in whichever order', () => {
  // Ids that meet in one slot, and that wrap round its end, are the ones that matter.
  const id = fc.oneof(fc.constantFrom(0, 1, 2, 14, 15, 16, 17, 31, 32, 33, 48), fc.nat(80)).map((n) => 2 * n + 1)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), id), { maxLength: 120 }), (steps) => {
      const map = new StreamMap<undefined>()
      const model = new Map<number, Stream<undefined>>()
      for (const [adds, key] of steps) {
        if (!adds) {
          map.delete(key)
          model.delete(key)
        } else if (!model.has(key)) {
          const stream = streamOf(key)
          map.add(stream)
          model.set(key, stream)
        }
        assert.equal(map.size, model.size)
      }
      for (let n = 1; n < 165; n += 2) assert.equal(map.get(n), model.get(n))
      assert.deepEqual(map.all().map((stream) => stream.id), [...model.keys()].toSorted((a, b) => a - b))
    }),
    { numRuns: 1000 },
  )
})

test('a stream that stays open does not make the map grow under many short ones', () => {
  const map = new StreamMap<undefined>()
  map.add(streamOf(1))
  for (let id = 3; id < 200_001; id += 2) {
    map.add(streamOf(id))
    assert.equal(map.get(id)?.id, id)
    map.delete(id)
  }
  assert.deepEqual([map.size, map.get(1)?.id, map.get(3)], [1, 1, undefined])
})
