// A route that asks for what filters learnt, such as a claim of a verified token. Before they ran, nothing is known, and
// only conditions that ask for absence hold.
import type { MetadataMatcher } from '../../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts'
import type { Condition, RoutedRequest } from './request.ts'
import { compileMetadataMatch, valueAt } from './value-match.ts'

export function metadataCondition(matcher: MetadataMatcher): Condition {
  const { test, filter, path, words } = compileMetadataMatch(matcher)
  const metadataOf = ({ dynamicMetadata }: RoutedRequest) => dynamicMetadata?.get(filter)
  return { matches: (request) => test(metadataOf(request)), words, found: (request) => said(valueAt(metadataOf(request), path)) }
}

const said = (value: unknown): string => (value === undefined ? 'it is absent' : `it is ${JSON.stringify(value)}`)
