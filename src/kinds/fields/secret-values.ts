// Values of a Secret, by key. They are read one at a time, by name; whoever prints or serialises all of them, in a dump, a
// log or an error, gets the keys and no value.
import { inspect } from 'node:util'

const redacted = '[redacted]'

/** Its own properties are the values, so that equal secrets are equal. */
class SecretValues {
  constructor(values: Readonly<Record<string, string>>) {
    Object.assign(this, values)
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(Object.keys(this).map((key) => [key, redacted]))
  }

  [inspect.custom](): Record<string, string> {
    return this.toJSON()
  }
}

export function secretValues(values: Readonly<Record<string, string>>): Record<string, string> {
  return new SecretValues(values) as unknown as Record<string, string>
}
