// Reads JSON whose shape is only hoped for, without casts: what is not there is empty.

export type JsonRecord = Readonly<Record<string, unknown>>

export const isRecord = (value: unknown): value is JsonRecord => typeof value === 'object' && value !== null && !Array.isArray(value)
export const record = (value: unknown): JsonRecord => (isRecord(value) ? value : {})
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

/** `at(value, 'address', 'socket_address', 'port_value')`. */
export const at = (value: unknown, ...path: readonly string[]): unknown => path.reduce((inner, field) => record(inner)[field], value)
