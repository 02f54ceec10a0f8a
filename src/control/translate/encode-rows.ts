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
  return Buffer.concat([toBinary(schema, { ...message, [rows]: [] }), ...list.map((row) => bytesOf(field.message, field.number, row))])
}

/** With what goes before it in the list. A message is in lists of one field only. */
function bytesOf(schema: DescMessage, field: number, row: Message): Uint8Array {
  const made = known.get(row)
  if (made !== undefined) return made
  const bytes = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(toBinary(schema, row)).finish()
  known.set(row, bytes)
  return bytes
}
