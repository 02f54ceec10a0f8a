import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Roster } from './roster.ts'

const member = (name: string) => ({ name, listIndex: -1 })

test('a roster has those who came and have not left, each once', () => {
  const roster = new Roster<ReturnType<typeof member>>()
  const [one, two, three] = [member('one'), member('two'), member('three')]
  for (const each of [one, two, three, one]) roster.add(each)
  roster.delete(one)
  roster.delete(one)
  assert.deepEqual(roster.all().map(({ name }) => name).sort(), ['three', 'two'])
  assert.equal(roster.size, 2)
  assert.equal(one.listIndex, -1)
  roster.add(one)
  for (const each of roster.all()) roster.delete(each)
  assert.equal(roster.size, 0)
})

test('who leaves a roster while it is gone through is not missed by others', () => {
  const roster = new Roster<ReturnType<typeof member>>()
  for (const name of ['one', 'two', 'three', 'four']) roster.add(member(name))
  const visited: string[] = []
  roster.each((each) => {
    visited.push(each.name)
    if (each.name !== 'two') roster.delete(each)
  })
  assert.deepEqual(visited.sort(), ['four', 'one', 'three', 'two'])
  assert.deepEqual(roster.all().map(({ name }) => name), ['two'])
})
