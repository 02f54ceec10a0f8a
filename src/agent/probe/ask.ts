// One question to an application, whether it is well: by HTTP, TCP, gRPC's health protocol, or a command, with the semantics of
// Kubernetes (ops spec 1.8). How often, and how many answers count, is health-watch.ts.
import { askCommand } from './exec-probe.ts'
import { askGrpc } from './grpc-probe.ts'
import { askHttp } from './http-probe.ts'
import type { Asking, Probe, Problem } from './probe.ts'
import { askTcp } from './tcp-probe.ts'

export function ask(probe: Probe, asking: Asking): Promise<Problem> {
  if (probe.kind === 'http') return askHttp(probe, asking)
  if (probe.kind === 'tcp') return askTcp(probe, asking)
  return probe.kind === 'grpc' ? askGrpc(probe, asking) : askCommand(probe, asking)
}
