// Addresses as numbers. A client that asks again has the address that it had: the last one is remembered.
import type { Address } from '../../model/address.ts'
import type { IpNumber } from '../../security/rbac/expression.ts'
import { parseIp } from '../listen/cidr.ts'

export class LastIp {
  #host = ''
  #ip: IpNumber | undefined = undefined

  of({ host }: Pick<Address, 'host'>): IpNumber | undefined {
    if (host === this.#host) return this.#ip
    this.#host = host
    return (this.#ip = parseIp(host))
  }
}
