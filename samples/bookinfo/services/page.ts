// The page as HTML: what the services said, who answered, and how the request got there. Its look is page-style.ts, its
// little script page-script.ts; it needs nothing from the network.
import { script } from './page-script.ts'
import { style } from './page-style.ts'

export type Details = Readonly<Record<string, string | number>>

export interface Review {
  readonly reviewer: string
  readonly text: string
  readonly rating?: { readonly stars?: number; readonly color?: string; readonly error?: string }
}

export interface Reviews {
  readonly podname: string
  readonly version?: string
  readonly reviews: readonly Review[]
}

export interface Fetched<Value> {
  readonly status: number
  readonly value: Value | undefined
}

export interface PageModel {
  readonly user: string | undefined
  readonly pod: string
  readonly version: string
  /** HTML of ours. */
  readonly description: string
  readonly details: Fetched<Details>
  readonly reviews: Fetched<Reviews>
  /** `reviews-v2 <- spiffe://...`, the callee first. */
  readonly hops: readonly string[]
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escape = (text: unknown): string => String(text).replace(/[&<>"']/g, (char) => escapes[char]!)

export function page(model: PageModel): string {
  const served = model.reviews.value
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The Comedy of Errors · Bookinfo</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(icon)}">
<style>${style}</style>
</head>
<body data-reviews="${escape(served?.version ?? (served === undefined ? 'error' : served.podname))}">
<header>
  <a class="brand" href="/productpage">${icon}<span>Bookinfo</span></a>
  ${account(model.user)}
</header>
<main>
  <section class="hero">
    <div class="cover" aria-hidden="true"><span>The Comedy<br>of Errors</span><i>William Shakespeare</i></div>
    <div>
      <p class="eyebrow">Play · 1595</p>
      <h1>The Comedy of Errors</h1>
      <p class="lead">${model.description}</p>
      ${details(model.details)}
    </div>
  </section>
  ${strip}
  <section aria-labelledby="reviews">
    <div class="title"><h2 id="reviews">Reviews</h2>${servedBy(served)}</div>
    ${reviews(model.reviews)}
  </section>
  ${path(model)}
</main>
<footer>Served by <b>${escape(model.pod)}</b> (${escape(model.version)}) behind its own Trysail sidecar.</footer>
<script>${script}</script>
</body>
</html>
`
}

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="28" height="28"><rect width="32" height="32" rx="8" fill="#0f766e"/><path d="M15 5v18H6C9 18 12 12 15 5z" fill="#fff"/><path d="M17 9c4 4 7 9 9 14h-9z" fill="#99f6e4"/><path d="M5 25h22" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>'

function account(user: string | undefined): string {
  if (user !== undefined) {
    return `<form action="/logout"><span class="avatar">${escape(user[0]!.toUpperCase())}</span><b>${escape(user)}</b><button class="quiet">Sign out</button></form>`
  }
  return `<form action="/login" method="post"><input name="username" aria-label="User name" placeholder="jason" autocomplete="username" required maxlength="40" pattern="[A-Za-z0-9_.@\\-]+"><button>Sign in</button></form>`
}

function details({ status, value }: Fetched<Details>): string {
  if (value === undefined) return unavailable('product details', status)
  const rows = Object.entries(value).filter(([name]) => name !== 'id')
  return `<dl>${rows.map(([name, fact]) => `<div><dt>${escape(name)}</dt><dd>${escape(fact)}</dd></div>`).join('')}</dl>`
}

const strip = `<section class="strip" aria-label="Which version answered">
  <div class="title"><h2>Who answered</h2><div class="controls"><span id="share"></span><button id="again" class="quiet">Reload ×10</button><button id="live" class="quiet" aria-pressed="false">Live</button></div></div>
  <ol id="history"></ol>
  <p class="hint">Each mark is one request for the reviews through the mesh. Edit a VirtualService and watch it change.</p>
</section>`

function servedBy(served: Reviews | undefined): string {
  if (served === undefined) return ''
  return `<span class="badge ${escape(served.version ?? '')}">${escape(served.podname)}</span>`
}

function reviews({ status, value }: Fetched<Reviews>): string {
  if (value === undefined) return unavailable('product reviews', status)
  return `<div class="cards">${value.reviews.map(card).join('')}</div>`
}

function card({ reviewer, text, rating }: Review): string {
  return `<blockquote><p>${escape(text)}</p><footer><cite>${escape(reviewer)}</cite>${stars(rating)}</footer></blockquote>`
}

function stars(rating: Review['rating']): string {
  if (rating === undefined) return ''
  if (rating.stars === undefined) return `<span class="missing">${escape(rating.error ?? 'no rating')}</span>`
  const shown = '★'.repeat(rating.stars) + '☆'.repeat(Math.max(0, 5 - rating.stars))
  return `<span class="stars ${rating.color === 'red' ? 'red' : 'black'}" role="img" aria-label="${rating.stars} of 5 stars">${shown}</span>`
}

function unavailable(what: string, status: number): string {
  return `<div class="alert" role="alert"><b>Error fetching ${what}</b> (${status}). Sorry, ${what} are currently unavailable for this book.</div>`
}

function path({ hops, pod }: PageModel): string {
  const rows = hops.map((hop) => {
    const [callee = '', caller = ''] = hop.split(' <- ')
    const identity = caller.startsWith('spiffe://') ? `<code>${escape(caller)}</code>` : `<em>${escape(caller || 'no answer of its own')}</em>`
    return `<li><b>${escape(callee)}</b><span>was called by</span>${identity}</li>`
  })
  return `<section aria-labelledby="path"><div class="title"><h2 id="path">How this page came about</h2></div><ul class="path"><li><b>${escape(pod)}</b><span>made this page from</span></li>${rows.join('')}</ul><p class="hint">The callers are SPIFFE identities that each server's sidecar verified by mutual TLS.</p></section>`
}
