import { nodePrimitives } from '../../relay/node_primitives.ts'
import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { interoperate, primitivesContract } from '../support/primitives_contract.ts'
import { describe } from '../support/suite.ts'

primitivesContract('node:crypto', nodePrimitives)

describe('primitives on node:crypto and on WebCrypto', () => {
  interoperate(nodePrimitives, webPrimitives)
  interoperate(webPrimitives, nodePrimitives)
})
