// Ports, counts and percentages.
import { z } from 'zod'

export const port = z.int().min(1).max(65535).meta({ type: 'port' })

/** Where protobuf's 0 is written for none. */
export const portOrNone = z
  .int()
  .min(0)
  .max(65535)
  .transform((number) => (number === 0 ? undefined : number))
  .meta({ type: 'port' })

/** `{ number: 80 }`, as Istio writes a port that is chosen. */
export const portSelector = z.strictObject({ number: port })

/** An int32 of protobuf that may not be negative. */
export const count = z.int().min(0).max(2_147_483_647).meta({ type: 'int' })

/** 0, or 0.0001 to 100: resolved in units of one in a million. */
export const percent = z
  .strictObject({
    value: z
      .number()
      .refine((value) => value === 0 || (value >= 0.0001 && value <= 100), 'must be 0, or between 0.0001 and 100')
      .default(0)
      .meta({ type: 'percent' }),
  })

/** Whole percent, 0 to 100. */
export const wholePercent = z.int().min(0).max(100).meta({ type: 'percent' })
