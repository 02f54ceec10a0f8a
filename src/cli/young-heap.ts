// How the young generation of V8's heap grows. Loading the proxy makes 100 MB of short-lived objects: let alone, V8 answers with
// two semi-spaces of 16 MB, which it keeps for good. So bin/trysail.js starts a proxy with a young generation that does not
// grow, and here it is let free once there is traffic, which wants a large one: fewer collections, and what a request made
// dies young (docs/performance.md). The flag is read whenever V8 thinks of growing, so it may be set at any time.
import { setFlagsFromString } from 'node:v8'

/** V8's own factor. */
export function letYoungHeapGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2')
}
