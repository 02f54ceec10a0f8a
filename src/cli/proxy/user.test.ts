import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asUser } from './user.ts'

test('a proxy keeps what it needs of the rights of whoever starts it', () => {
  assert.deepEqual(asUser(1337, 0x1ff_ffff_ffffn), ['setpriv', '--reuid=1337', '--regid=1337', '--clear-groups', '--inh-caps=+dac_read_search,+net_bind_service,+net_admin', '--ambient-caps=+dac_read_search,+net_bind_service,+net_admin', '--'])
  assert.deepEqual(asUser(1337, 0xa804_25fbn).filter((flag) => flag.includes('caps')), ['--inh-caps=+net_bind_service', '--ambient-caps=+net_bind_service'], 'in a container')
  assert.deepEqual(asUser(7, 0n), ['setpriv', '--reuid=7', '--regid=7', '--clear-groups', '--'])
})
