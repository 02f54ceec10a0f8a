// Encodes a message with a long list of messages, of which most were in another message before: each of them is encoded
// once, and its bytes are taken again.
import { toBinary } from '@bufbuild/protobuf'
import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** Messages of lists are never edited once they are built. */
const known = new WeakMap<Message, Uint8Array>()

/** `rows` names a repeated field of messages. Its elements come after all other fields: to a reader that is the same. */
export function encodeByRows<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>, rows: string): Uint8Array {
  const field = schema.field[rows]
  if (field?.fieldKind !== 'list' || field.listKind !== 'message') throw new TypeError(`${schema.typeName} has no list of messages ${rows}`)
  const list = (message as Readonly<Record<string, unknown>>)[rows] as readonly Message[]
  const writer = new BinaryWriter().raw(toBinary(schema, { ...message, [rows]: [] }))
  for (const row of list) writer.tag(field.number, WireType.LengthDelimited).bytes(bytesOf(field.message, row))
  return writer.finish()
}

function bytesOf(schema: DescMessage, row: Message): Uint8Array {
  const bytes = known.get(row) ?? toBinary(schema, row)
  known.set(row, bytes)
  return bytes
}
