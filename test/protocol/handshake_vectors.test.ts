import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { vectorSuite } from '../support/handshake_vectors.ts'

vectorSuite('WebCrypto', webPrimitives)
