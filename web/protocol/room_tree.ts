/**
 * The checks of a whole ratchet tree that a joiner makes (RFC 9420, 12.4.3.1), for Welcomes.
 * ts-mls 1.6.4 has its own, but wants all ancestors of an unmerged leaf to have the same unmerged
 * leaves, where the RFC (7.9) wants those between the leaf and the ancestor to list it: it refuses
 * sound trees as soon as members were added to several places.
 */
import type { GroupContext, RatchetTree } from 'ts-mls'
import { verifyLeafNodeSignature } from 'ts-mls/leafNode.js'
import { verifyParentHashes } from 'ts-mls/parentHash.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import {
  directPath,
  isLeaf,
  leafToNodeIndex,
  leafWidth,
  toLeafIndex,
  toNodeIndex,
} from 'ts-mls/treemath.js'
import { equal, hex } from './bytes.ts'
import { SottoError } from './errors.ts'
import type { Suite } from './mls_provider.ts'
import { leaves } from './room_rules.ts'

/** Throws SottoError `crypto_failed` unless the tree is sound and the one of this epoch. */
export async function verifyTree(
  tree: RatchetTree,
  context: GroupContext,
  suite: Suite,
): Promise<void> {
  const { groupId, treeHash } = context
  if (!hasSoundForm(tree)) throw unsound('its form')
  if (!hasDistinctKeys(tree)) throw unsound('its keys')
  if (!hasSoundUnmergedLeaves(tree)) throw unsound('its unmerged leaves')
  for (const { leaf, node } of leaves(tree))
    if (!(await verifyLeafNodeSignature(node, groupId, leaf, suite.signature)))
      throw unsound("a leaf's signature")
  if (!(await verifyParentHashes(tree, suite.hash))) throw unsound('its parent hashes')
  if (!equal(await treeHashRoot(tree, suite.hash), treeHash)) throw unsound('its hash')
}

/** Leaves at even and parents at odd places, and 2^d - 1 places. */
function hasSoundForm(tree: RatchetTree): boolean {
  const full = Number.isInteger(Math.log2(tree.length + 1))
  return (
    full && tree.every((node, i) => !node || isLeaf(toNodeIndex(i)) === (node.nodeType === 'leaf'))
  )
}

function hasDistinctKeys(tree: RatchetTree): boolean {
  const encryption = tree.flatMap((node) => {
    if (!node) return []
    return hex(node.nodeType === 'leaf' ? node.leaf.hpkePublicKey : node.parent.hpkePublicKey)
  })
  const signature = leaves(tree).map(({ node }) => hex(node.signaturePublicKey))
  return areDistinct(encryption) && areDistinct(signature)
}

/** Each is a leaf below its parent, and every node in between that is not blank lists it too. */
function hasSoundUnmergedLeaves(tree: RatchetTree): boolean {
  return tree.every((node, i) => {
    if (node?.nodeType !== 'parent') return true
    return node.parent.unmergedLeaves.every((leaf) => isUnmergedUpTo(tree, leaf, i))
  })
}

function isUnmergedUpTo(tree: RatchetTree, leaf: number, ancestor: number): boolean {
  const start = leafToNodeIndex(toLeafIndex(leaf))
  if (start >= tree.length || tree[start]?.nodeType !== 'leaf') return false
  const path = directPath(start, leafWidth(tree.length))
  const height = path.indexOf(toNodeIndex(ancestor))
  return (
    height >= 0 &&
    path.slice(0, height).every((i) => {
      const node = tree[i]
      return node?.nodeType !== 'parent' || node.parent.unmergedLeaves.includes(leaf)
    })
  )
}

function areDistinct(list: readonly string[]): boolean {
  return new Set(list).size === list.length
}

function unsound(what: string): SottoError {
  const cause = new Error(`ratchet tree: ${what}`)
  return new SottoError('crypto_failed', 'The group of the room is not in order.', { cause })
}
