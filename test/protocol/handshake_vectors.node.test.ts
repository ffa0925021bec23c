import { nodePrimitives } from '../../relay/node_primitives.ts'
import { vectorSuite } from '../support/handshake_vectors.ts'

vectorSuite('node:crypto', nodePrimitives)
