// The tour's steps about things that go wrong, on purpose or not: delays, aborts, timeouts, retries, a version that ends.
import type { Reply } from './client.ts'
import { reviewsVersion } from './client.ts'
import { sendMany, startLoad } from './load.ts'
import { below, equal, median, tally, within } from './observation.ts'
import { countOf, ratingsPath, reviewsPath } from './step.ts'
import type { Step } from './step.ts'

const statuses = (replies: readonly Reply[]): string => tally(replies.map(({ status, error }) => error ?? String(status)))
const times = (replies: readonly Reply[]): readonly number[] => replies.map(({ ms }) => ms)

export const delay: Step = {
  title: 'A delay of 2 s is injected into the ratings, for jason alone',
  async run({ client, folder, edit, did }) {
    did('applies virtual-service-reviews-v2.yaml and virtual-service-ratings-test-delay.yaml')
    await edit(() => [folder.apply('virtual-service-reviews-v2.yaml'), folder.apply('virtual-service-ratings-test-delay.yaml')])
    const jason = await sendMany(client, reviewsPath, 4, await client.login('jason'))
    const others = await sendMany(client, reviewsPath, 20)
    return [
      within('jason waits, median', 2000, 2500, median(times(jason)), 'ms'),
      below('others wait, median', 500, median(times(others)), 'ms'),
      equal('answers', '200 × 24', statuses([...jason, ...others])),
    ]
  },
}

export const timeout: Step = {
  title: 'A timeout of 0.5 s cuts the slow answer',
  async run({ client, folder, edit, did, accessLog, until }) {
    did('applies virtual-service-reviews-timeout.yaml; the delay of 2 s is still there')
    await edit(() => folder.apply('virtual-service-reviews-timeout.yaml'))
    const jason = await sendMany(client, reviewsPath, 4, await client.login('jason'))
    const others = await sendMany(client, reviewsPath, 20)
    const flagged = (): number => accessLog().filter((line) => / 504 UT /.test(line)).length
    await until(() => flagged() >= 4, 5000) // a proxy that is a process of its own writes its log in pieces
    return [
      equal('jason gets', '504 × 4', statuses(jason)),
      within('after, median', 480, 900, median(times(jason)), 'ms'),
      equal('what the answer says', 'upstream request timeout', jason[0]?.body ?? ''),
      equal("logged by productpage's sidecar", '504 UT', flagged() >= 4 ? '504 UT' : 'no such line'),
      equal('others get', '200 × 20', statuses(others)),
    ]
  },
}

export const abort: Step = {
  title: 'Ratings answer 500 to jason, without being asked',
  async run({ client, folder, edit, did }) {
    did('applies virtual-service-reviews-v2.yaml and virtual-service-ratings-test-abort.yaml')
    await edit(() => [folder.apply('virtual-service-reviews-v2.yaml'), folder.apply('virtual-service-ratings-test-abort.yaml')])
    const jason = await client.login('jason')
    const direct = await sendMany(client, ratingsPath, 10, jason)
    const page = await client.get(reviewsPath, jason)
    return [
      equal('jason asks for ratings', '500 × 10', statuses(direct)),
      equal('what the answer says', 'fault filter abort', direct[0]?.body ?? ''),
      equal('reviews make the best of it', '200, ratings unavailable', `${page.status}, ratings ${page.body.includes('Ratings service is currently unavailable') ? 'unavailable' : 'there'}`),
      equal('others ask for ratings', '200 × 10', statuses(await sendMany(client, ratingsPath, 10))),
    ]
  },
}

export const retries: Step = {
  title: 'Retries bring a flaky version to success',
  async run({ client, folder, edit, did, until, processes }) {
    did('starts ratings-v2-flaky, which fails the first two tries of every request, and routes ratings to it')
    await edit(() => folder.apply('ratings-v2-flaky.yaml'))
    await until(() => processes().some(({ name, state }) => name === 'ratings-v2-flaky' && state === 'ready'))
    await edit(() => folder.apply('virtual-service-ratings-flaky.yaml'))
    const without = await sendMany(client, ratingsPath, 20)
    did('applies virtual-service-ratings-retries.yaml: 3 attempts on 5xx')
    await edit(() => folder.apply('virtual-service-ratings-retries.yaml'))
    const retried = await sendMany(client, ratingsPath, 20)
    await edit(() => [folder.apply('virtual-service-all-v1.yaml'), folder.remove('process-ratings-v2-flaky')])
    return [
      equal('without retries', '503 × 20', statuses(without)),
      equal('with retries', '200 × 20', statuses(retried)),
    ]
  },
}

export const stopVersion: Step = {
  title: 'A version is stopped under load, and nobody notices',
  async run({ client, folder, edit, did, until, processes }) {
    await edit(() => folder.remove('virtual-service-reviews'))
    did('takes reviews-v3 out of processes.yaml while 8 clients ask for the reviews')
    const load = startLoad(client, reviewsPath, 8)
    await until(() => load.replies.length > 100)
    const before = countOf(load.replies, (reply) => reviewsVersion(reply) === 'v3')
    folder.cut('processes.yaml', 'reviews-v3')
    // A Process has 10 s to finish what it carries, and then the time it takes to end.
    const gone = await until(() => !processes().some(({ name }) => name === 'reviews-v3'), 15_000)
    const from = load.replies.length
    await until(() => load.replies.length > from + 200)
    await load.stop()
    const after = load.replies.slice(from).map(reviewsVersion)
    return [
      equal('v3 answered before', 'yes', before > 0 ? 'yes' : 'no'),
      equal('its process', 'gone', gone ? 'gone' : 'still there'),
      equal(`who answered ${after.length} requests after (${tally(after)})`, 'v1, v2', [...new Set(after)].sort().join(', ')),
      equal(`failed of all ${load.replies.length} requests`, 0, load.failed.length),
    ]
  },
}

export const killVersion: Step = {
  title: 'A version is killed, is taken out at once, and comes back by itself',
  async run({ client, did, edit, until, processes }) {
    const find = () => processes().find(({ name }) => name === 'reviews-v2')
    const pid = find()?.pid
    did(`kill -9 ${pid}: reviews-v2`)
    await edit(() => pid !== undefined && process.kill(pid, 'SIGKILL'))
    const during = await sendMany(client, reviewsPath, 20, {}, 2)
    const back = await until(() => find()?.state === 'ready' && find()?.pid !== pid, 10_000)
    const versions = async (): Promise<string[]> => (await sendMany(client, reviewsPath, 20)).map(reviewsVersion)
    const serves = await until(async () => (await versions()).includes('v2'), 5000)
    return [
      equal('20 requests sent after the kill', '200 × 20', statuses(during)),
      equal('started again, with another pid', 'yes', back ? 'yes' : 'no'),
      equal('answers again', 'yes', serves ? 'yes' : 'no'),
    ]
  },
}
