// Packs messages into Any the way Envoy's configuration wants them: deterministic bytes, so that a version can be a hash.
import { create, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, Message, MessageInitShape } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'

/** A message as a literal, which can be spread into another. */
export type Init<Schema extends DescMessage> = Exclude<MessageInitShape<Schema>, Message>

export function typeUrlOf(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`
}

/** Builds a message and packs it. */
export function packed<Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): Any {
  return create(AnySchema, { typeUrl: typeUrlOf(schema), value: toBinary(schema, create(schema, init)) })
}
