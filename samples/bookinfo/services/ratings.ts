// Bookinfo's ratings service: how many stars each reviewer gave. POST keeps new ones in memory, as Istio's does.
import { json, serve } from './service.ts'
import type { Answer, Call } from './service.ts'

const initial = { Reviewer1: 5, Reviewer2: 4 }
const posted = new Map<string, Readonly<Record<string, number>>>()
const maxProducts = 100

serve((call) => {
  const id = /^\/ratings\/(\d+)$/.exec(call.url.pathname)?.[1]
  if (id === undefined) return undefined
  return call.method === 'POST' ? post(id, call) : json(200, { id: Number(id), ratings: posted.get(id) ?? initial })
})

function post(id: string, call: Call): Answer {
  let ratings: unknown
  try {
    ratings = JSON.parse(call.body)
  } catch (error) {
    return json(400, { error: `please provide valid ratings JSON: ${String(error)}` })
  }
  if (!isRatings(ratings)) return json(400, { error: 'ratings are numbers from 1 to 5 by reviewer' })
  if (posted.size >= maxProducts && !posted.has(id)) return json(507, { error: 'no room for more products' })
  posted.set(id, ratings)
  return json(200, { id: Number(id), ratings })
}

const isRatings = (value: unknown): value is Record<string, number> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) &&
  Object.values(value).every((stars) => Number.isInteger(stars) && Number(stars) >= 1 && Number(stars) <= 5)
