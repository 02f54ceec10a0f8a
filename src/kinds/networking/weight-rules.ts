// Weights of the destinations of one route (traffic spec 1.2.4). They need not add up to 100.
import { error } from '../kind.ts'
import type { Rule } from '../kind.ts'

interface Weighted {
  weight: number
}

/** Envoy adds them up in 32 bits. */
const maxTotal = 4_294_967_295

export const weightRules = <Route extends { route: Weighted[] }>(): readonly Rule<Route>[] => [
  error(function* ({ route }) {
    const total = route.reduce((sum, { weight }) => sum + weight, 0)
    if (route.length > 1 && total === 0) yield [['route'], 'no destination has a weight above 0: give at least one of them a weight']
    if (total > maxTotal) yield [['route'], `weights add up to ${total}: the sum must be at most ${maxTotal}`]
  }),
]
