// Which rule of a VirtualService takes a request.
import type { Case } from '../case.ts'
import { one } from '../case.ts'

const to = (name: string, match: string): string => `{ name: ${name}, match: [${match}], directResponse: { status: 200, body: { string: ${name} } } }`
const rest = '{ name: rest, directResponse: { status: 404, body: { string: rest } } }'

export const matching: readonly Case[] = [
  one('a host without rules goes to its service', '[{ route: [{ destination: { host: a } }] }]', { path: '/x?y=1', expect: { status: 200, body: 'a\n', to: ['a'], path: '/x?y=1', flags: '-', details: 'via_upstream' } }),
  { title: 'uri.exact is for the whole path', http: `[${to('exact', '{ uri: { exact: /one } }')}, ${rest}]`, asks: [
    { path: '/one', expect: { status: 200, body: 'exact', route: 'exact', details: 'direct_response' } },
    { path: '/one?q', expect: { body: 'exact' } },
    { path: '/one/', expect: { body: 'rest' } },
    { path: '/One', expect: { body: 'rest' } },
  ] },
]
