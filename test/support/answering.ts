import type { Outcome, Peer } from '../../relay/endpoint/peer.ts'
import { type BuildService, buildService } from '../../relay/endpoint/service.ts'
import type { Store } from '../../relay/endpoint/store.ts'
import type { Request } from '../../web/protocol/messages.ts'

/** One request to an endpoint, before its service has seen it. */
interface Asked {
  readonly peer: Peer
  readonly request: Request
  readonly store: Store
  /** The service's own answer. */
  serve(): Promise<Outcome>
}

/** An endpoint's own service, with `answer` in front of it. */
export function answering(answer: (asked: Asked) => Promise<Outcome>): BuildService {
  return (needs) => {
    const service = buildService(needs)
    return {
      ...service,
      handle: (peer, request) =>
        answer({ peer, request, store: needs.store, serve: () => service.handle(peer, request) }),
    }
  }
}
