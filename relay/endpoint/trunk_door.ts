import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { SottoError } from '../../web/protocol/errors.ts'
import { addressBytes, OriginTagger } from '../origin.ts'
import { acceptTrunkSocket, type EndpointEnd } from '../trunk_link.ts'
import type { TokenBuckets } from './token_bucket.ts'

/**
 * Proves the relays that dial in. RSA work for them takes a token of their network, as that for
 * people does; `busy` when none is left.
 */
export function trunkDoor(
  end: EndpointEnd,
  proofs: TokenBuckets,
): (socket: Socket) => Promise<Duplex> {
  const tagger = new OriginTagger()
  const run = end.rsa ?? ((work) => work())
  return (socket) => {
    const address = addressBytes(socket.remoteAddress ?? '')
    const origin = address === undefined ? 'unknown' : tagger.of(address).name
    return acceptTrunkSocket(socket, {
      ...end,
      async rsa(work) {
        if (proofs.take(`trunk ${origin}`) === 0) return run(work)
        throw new SottoError('busy', 'Too many handshakes from one network.')
      },
    })
  }
}
