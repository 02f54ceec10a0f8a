// The tour's steps about where requests go: by default, to one version, by header, by weight.
import { reviewsVersion } from './client.ts'
import { sendMany } from './load.ts'
import { equal, share, tally } from './observation.ts'
import { reviewsPath } from './step.ts'
import type { Step } from './step.ts'

export const withoutRules: Step = {
  title: 'Without rules, every version of reviews gets requests',
  async run({ client, did }) {
    did('sends 60 requests for the reviews through the ingress gateway')
    const versions = (await sendMany(client, reviewsPath, 60)).map(reviewsVersion)
    return [equal(`versions that answered (${tally(versions)})`, 'v1, v2, v3', [...new Set(versions)].sort().join(', '))]
  },
}

export const allToV1: Step = {
  title: 'A VirtualService sends everybody to v1',
  async run({ client, folder, edit, did }) {
    did('applies virtual-service-all-v1.yaml')
    await edit(() => folder.apply('virtual-service-all-v1.yaml'))
    return [equal('who answered 40 requests', 'v1 × 40', tally((await sendMany(client, reviewsPath, 40)).map(reviewsVersion)))]
  },
}

export const jasonToV2: Step = {
  title: 'The user jason is routed to v2 by a header',
  async run({ client, folder, edit, did }) {
    did('applies virtual-service-reviews-test-v2.yaml and logs in on the page as jason')
    await edit(() => folder.apply('virtual-service-reviews-test-v2.yaml'))
    const jason = await client.login('jason')
    const other = await client.login('mary')
    return [
      equal('jason, 20 requests', 'v2 × 20', tally((await sendMany(client, reviewsPath, 20, jason)).map(reviewsVersion))),
      equal('mary, 20 requests', 'v1 × 20', tally((await sendMany(client, reviewsPath, 20, other)).map(reviewsVersion))),
      equal('not logged in, 20 requests', 'v1 × 20', tally((await sendMany(client, reviewsPath, 20)).map(reviewsVersion))),
    ]
  },
}

function split(title: string, file: string, shares: readonly (readonly [version: string, share: number])[]): Step {
  const count = 500
  return {
    title,
    async run({ client, folder, edit, did }) {
      did(`applies ${file} and sends ${count} requests`)
      await edit(() => folder.apply(file))
      const versions = (await sendMany(client, reviewsPath, count)).map(reviewsVersion)
      const known = shares.map(([version]) => version)
      return [
        ...shares.map(([version, part]) => share(version, part, versions.filter((one) => one === version).length, count)),
        equal('anything else', 'none', tally(versions.filter((one) => !known.includes(one)))),
      ]
    },
  }
}

export const half = split('Half of the traffic to v3', 'virtual-service-reviews-50-v3.yaml', [['v1', 0.5], ['v3', 0.5]])
export const tenth = split('A canary: ten in a hundred to v2', 'virtual-service-reviews-90-10.yaml', [['v1', 0.9], ['v2', 0.1]])
