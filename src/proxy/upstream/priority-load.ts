// How much each priority of a cluster carries (traffic spec 2.3): the first one all of it while enough of its hosts are
// healthy, then each next one what is left. Envoy's arithmetic, in whole per cents.

export interface LevelHealth {
  readonly healthy: number
  readonly total: number
}

export interface LevelLoad {
  /** All levels together: 100. */
  readonly percent: number
  /** Health is not believed here: all hosts are used. */
  readonly panics: boolean
}

/** Over-provisioning: a priority counts as whole while 1 / 1.4 of its hosts are healthy. */
export const overProvisioning = 1.4

/** `levels` are in order, the first is used first. Below `panicPercent` of healthy hosts health is not believed; 0: always. */
export function spreadLoad(levels: readonly LevelHealth[], panicPercent: number): readonly LevelLoad[] {
  const health = levels.map(({ healthy, total }) => (total === 0 ? 0 : Math.min(100, Math.floor((100 * overProvisioning * healthy) / total))))
  const available = Math.min(100, health.reduce((sum, one) => sum + one, 0))
  if (available === 100) return distribute(health, 100).map((percent) => ({ percent, panics: false }))
  const panics = levels.map(({ healthy, total }) => total > 0 ? (100 * healthy) / total < panicPercent : panicPercent > 0)
  if (panics.every(Boolean)) return byCount(levels).map((percent) => ({ percent, panics: true }))
  // Nobody is healthy and panic is off: the first level has the load, and no host for it.
  const percents = available === 0 ? levels.map((_, i) => (i === 0 ? 100 : 0)) : distribute(health, available)
  return percents.map((percent, i) => ({ percent, panics: panics[i]! }))
}

/** `available`: what the levels add up to; less than 100 is scaled up. What rounding loses goes to the first that can. */
function distribute(health: readonly number[], available: number): number[] {
  let left = 100
  const percents = health.map((one) => {
    const percent = Math.min(left, Math.floor((100 * one) / available))
    left -= percent
    return percent
  })
  const first = health.findIndex((one) => one > 0)
  if (first !== -1) percents[first]! += left
  return percents
}

/** In a panic of all levels each has as much as it has hosts. */
function byCount(levels: readonly LevelHealth[]): number[] {
  const all = levels.reduce((sum, { total }) => sum + total, 0)
  return all === 0 ? levels.map((_, i) => (i === 0 ? 100 : 0)) : distribute(levels.map(({ total }) => (100 * total) / all), 100)
}
