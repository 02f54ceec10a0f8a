// The control plane's state as the ADS server sees it.
import type { WorldState, ProxySession as WorldSession } from '../world-state.ts'
import type { ProxySession, ResourceSource } from './resource-source.ts'

export function worldSource(state: WorldState): ResourceSource {
  const sessions = new WeakMap<ProxySession, WorldSession>()
  return {
    get ready() {
      return state.ready
    },
    connect(node) {
      const session = state.connect(node)
      sessions.set(session, session)
      return session
    },
    onPush: (listener) => state.onPush((snapshot) => listener({
      generation: snapshot.generation,
      affects(typeUrl, proxy) {
        const known = sessions.get(proxy)
        return known === undefined || state.affects(typeUrl, known.node, snapshot)
      },
    })),
  }
}
