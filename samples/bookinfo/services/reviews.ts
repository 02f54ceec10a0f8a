// Bookinfo's reviews service. v1 asks for no ratings; v2 shows them as black stars, v3 as red ones.
import { get, json, parsed, pod, serve, version } from './service.ts'
import type { Call } from './service.ts'

const texts: readonly (readonly [reviewer: string, text: string])[] = [
  ['Reviewer1', 'An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!'],
  ['Reviewer2', 'Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.'],
]
const colors: Readonly<Record<string, string>> = { v2: 'black', v3: 'red' }
const color = process.env['STAR_COLOR'] ?? colors[version]

type Rating = { readonly stars: number; readonly color: string } | { readonly error: string }

serve(async (call) => {
  const id = /^\/reviews\/(\d+)$/.exec(call.url.pathname)?.[1]
  if (id === undefined) return undefined
  const rate = color === undefined ? () => undefined : await ratings(id, color, call)
  const reviews = texts.map(([reviewer, text]) => {
    const rating = rate(reviewer)
    return rating === undefined ? { reviewer, text } : { reviewer, text, rating }
  })
  return json(200, { id, podname: pod, clustername: 'null', version, reviews })
})

async function ratings(id: string, starColor: string, call: Call): Promise<(reviewer: string) => Rating> {
  const answer = parsed(await get('ratings', `/ratings/${id}`, call))
  const stars = typeof answer === 'object' && answer !== null && 'ratings' in answer ? Object(answer.ratings) as Record<string, unknown> : {}
  return (reviewer) => {
    const given = stars[reviewer]
    return typeof given === 'number' ? { stars: given, color: starColor } : { error: 'Ratings service is currently unavailable' }
  }
}
