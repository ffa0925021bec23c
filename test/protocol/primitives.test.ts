import { webPrimitives } from '../../web/protocol/web_primitives.ts'
import { primitivesContract } from '../support/primitives_contract.ts'

primitivesContract('WebCrypto', webPrimitives)
