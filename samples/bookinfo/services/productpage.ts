// Bookinfo's front: the page, who is logged in, and the same data as JSON. Asks details and reviews for what they know.
import { get, json, parsed, pod, serve, version } from './service.ts'
import type { Answer, Call } from './service.ts'
import { page } from './page.ts'
import type { Details, Reviews } from './page.ts'

/** As Istio's page does: reviews get 3 seconds and one more try. */
const reviewsTimeoutMs = 3000

const product = {
  id: 0,
  title: 'The Comedy of Errors',
  descriptionHtml:
    '<a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">Wikipedia Summary</a>: The Comedy of Errors is one of <b>William Shakespeare\'s</b> early plays. It is his shortest and one of his most farcical comedies, with a major part of the humour coming from slapstick and mistaken identity, in addition to puns and word play.',
}

serve((call) => {
  const { pathname } = call.url
  if (pathname === '/' || pathname === '/index.html') return redirect('/productpage')
  if (pathname === '/productpage') return productPage(call)
  if (pathname === '/login') return login(call)
  if (pathname === '/logout') return redirect('/productpage', 'user=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax')
  if (pathname === '/api/v1/products') return json(200, [product])
  return api(call)
})

async function productPage(call: Call): Promise<Answer> {
  const user = userOf(call)
  const [details, reviews] = await Promise.all([get('details', '/details/0', call, endUser(user)), fetchReviews('0', call)])
  const body = page({
    user,
    pod,
    version,
    description: product.descriptionHtml,
    details: { status: details.status, value: parsed(details) as Details | undefined },
    reviews: { status: reviews.status, value: parsed(reviews) as Reviews | undefined },
    hops: call.hops.flatMap((hop) => hop.split('; ')),
  })
  return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }, body }
}

/** `/api/v1/products/0`, `.../reviews`, `.../ratings`: the answer of the service, its status included. */
async function api(call: Call): Promise<Answer | undefined> {
  const [, id, part] = /^\/api\/v1\/products\/(\d+)(?:\/(reviews|ratings))?$/.exec(call.url.pathname) ?? []
  if (id === undefined) return undefined
  if (part === 'reviews') return fetchReviews(id, call)
  const service = part ?? 'details'
  return get(service, `/${service}/${id}`, call, endUser(userOf(call)))
}

async function fetchReviews(id: string, call: Call): Promise<Answer> {
  const ask = () => get('reviews', `/reviews/${id}`, call, endUser(userOf(call)), reviewsTimeoutMs)
  const first = await ask()
  return isOurTimeout(first) ? ask() : first
}

const isOurTimeout = ({ status, body }: Answer): boolean => status === 503 && body.includes(`within ${reviewsTimeoutMs} ms`)

function login(call: Call): Answer {
  const user = new URLSearchParams(call.body).get('username')?.trim() ?? ''
  // Any name is let in, as in Istio's sample; what goes into a header must be plain.
  if (!/^[\w.@-]{1,40}$/.test(user)) return redirect('/productpage')
  return redirect('/productpage', `user=${user}; Path=/; HttpOnly; SameSite=Lax`)
}

const redirect = (location: string, cookie?: string): Answer => ({
  status: 302,
  headers: { location, ...(cookie === undefined ? {} : { 'set-cookie': cookie }) },
  body: '',
})

function userOf(call: Call): string | undefined {
  return /(?:^|;\s*)user=([\w.@-]{1,40})/.exec(call.headers.cookie ?? '')?.[1]
}

const endUser = (user: string | undefined) => (user === undefined ? {} : { 'end-user': user })
