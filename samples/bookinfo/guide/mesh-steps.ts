// The tour's steps about the mesh itself: how fast an edit takes effect, and who is who under mutual TLS.
import { setTimeout as sleep } from 'node:timers/promises'
import { reviewsVersion } from './client.ts'
import type { Client } from './client.ts'
import { sendMany, startLoad } from './load.ts'
import { below, equal, median, tally } from './observation.ts'
import { reviewsPath } from './step.ts'
import type { Step } from './step.ts'

const edits = 6

export const editToEffect: Step = {
  title: 'An edit takes effect at once, under load, without a failed request',
  async run({ client, folder, edit, did }) {
    await edit(() => folder.apply('virtual-service-all-v1.yaml'))
    did(`edits virtual-service-reviews.yaml ${edits} times, v1 to v2 and back, while 4 clients ask for the reviews`)
    const load = startLoad(client, reviewsPath, 4)
    const took: number[] = []
    for (let i = 0; i < edits; i++) {
      const version = i % 2 === 0 ? 'v2' : 'v1'
      const began = performance.now()
      folder.apply(version === 'v2' ? 'virtual-service-reviews-v2.yaml' : 'virtual-service-all-v1.yaml')
      took.push((await firstAnswerBy(client, version)) - began)
      await sleep(50)
    }
    await load.stop()
    return [
      below(`edit to first answer of the new version, median of ${edits}`, 100, median(took), 'ms'),
      equal(`failed of all ${load.replies.length} requests`, 0, load.failed.length),
    ]
  },
}

/** When the first answer of the version had been asked for. */
async function firstAnswerBy(client: Client, version: string): Promise<number> {
  for (let i = 0; i < 2000; i++) {
    const reply = await client.get(reviewsPath)
    if (reviewsVersion(reply) === version) return performance.now()
  }
  return Number.POSITIVE_INFINITY
}

/** `reviews-v2 <- spiffe://...` of every hop that served the answer. */
const hopsOf = (trail: unknown): ReadonlyMap<string, string> =>
  new Map((typeof trail === 'string' ? trail : '').split('; ').map((hop) => hop.split(' <- ') as [string, string]))

export const mutualTls: Step = {
  title: 'Every hop is mutual TLS: the servers know who calls',
  async run({ client, did, folder, edit }) {
    await edit(() => folder.apply('virtual-service-reviews-v2.yaml'))
    did('asks for the reviews, and shows the identities that each sidecar verified')
    const reply = await client.get(reviewsPath)
    const hops = hopsOf(reply.headers['x-bookinfo-trail'])
    const id = (namespace: string, account: string): string => `spiffe://cluster.local/ns/${namespace}/sa/${account}`
    return [
      equal('productpage was called by', id('istio-system', 'istio-ingressgateway-service-account'), hops.get('productpage-v1') ?? 'nobody'),
      equal('reviews-v2 was called by', id('default', 'bookinfo-productpage'), hops.get('reviews-v2') ?? 'nobody'),
      equal('ratings-v1 was called by', id('default', 'bookinfo-reviews'), hops.get('ratings-v1') ?? 'nobody'),
    ]
  },
}

export const strict: Step = {
  title: 'STRICT: plaintext is refused, the mesh goes on',
  async run({ client, folder, edit, did, processes, knock }) {
    const url = `http://${processes().find(({ name }) => name === 'details-v1')?.inbound}/details/0`
    did(`knocks in plaintext at the inbound port of details, ${url}`)
    const permissive = await knock(url)
    did('applies peer-authentication-strict.yaml and knocks again')
    await edit(() => folder.apply('peer-authentication-strict.yaml'))
    const refused = await knock(url)
    return [
      equal('PERMISSIVE, the default', '200', String(permissive.status)),
      equal('STRICT', 'refused', refused.status === 0 ? 'refused' : `answered ${refused.status}`),
      equal('through the mesh', 'v2 × 20', tally((await sendMany(client, reviewsPath, 20)).map(reviewsVersion))),
    ]
  },
}
