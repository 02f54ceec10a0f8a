// WeightedCluster.use_hash_policy, field 5, a BoolValue: Envoy has it since 1.36, the protos that our types are made from
// do not. Until they do, it is one of the fields that a message carries along without knowing their names.
import type { UnknownField } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { WeightedCluster } from '../proto/gen/envoy/config/route/v3/route_components_pb.ts'

const fieldNumber = 5

/** The cluster is a function of the hash that the route's hash policy makes, not a draw for each request. */
export function setUseHashPolicy(message: WeightedCluster): WeightedCluster {
  const others = (message.$unknown ?? []).filter(({ no }) => no !== fieldNumber)
  message.$unknown = [...others, { no: fieldNumber, wireType: WireType.LengthDelimited, data: new BinaryWriter().bytes(boolValue(true)).finish() }]
  return message
}

export function usesHashPolicy({ $unknown = [] }: Pick<WeightedCluster, '$unknown'>): boolean {
  return $unknown.some(saysTrue)
}

const boolValue = (value: boolean): Uint8Array<ArrayBuffer> => new BinaryWriter().tag(1, WireType.Varint).bool(value).finish()

function saysTrue({ no, wireType, data }: UnknownField): boolean {
  if (no !== fieldNumber || wireType !== WireType.LengthDelimited) return false
  const reader = new BinaryReader(new BinaryReader(data).bytes())
  let value = false
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 1 && type === WireType.Varint) value = reader.bool()
    else reader.skip(type)
  }
  return value
}
