import { idbStorage } from '../../web/io/idb_storage.ts'
import {
  type Claim,
  claimBefore,
  claimNew,
  claimThis,
  forgetClaim,
  heldProfiles,
  takeOver,
} from '../../web/io/locks.ts'
import {
  forgetProfile,
  listProfiles,
  rememberProfile,
  wipedProfiles,
} from '../../web/io/profiles.ts'
import { afterEach, assert, describe, it } from '../support/suite.ts'

/** A tab's session storage goes with the tab; here all tabs are one page. */
const anotherTab = () => forgetClaim()

describe('tabs and profiles', () => {
  const claims: Claim[] = []
  const keep = (claim: Claim): Claim => {
    claims.push(claim)
    return claim
  }
  const known = async (claim: Claim, user: string): Promise<Claim> => {
    await rememberProfile({ id: claim.profile, user, madeAt: Date.now() })
    const storage = idbStorage(claim.profile)
    await storage.write(new Map([['a', 1]]))
    storage.close()
    return claim
  }

  afterEach(async () => {
    for (const claim of claims.splice(0)) claim.release()
    for (const { id } of await listProfiles()) {
      await idbStorage(id).destroy()
      await forgetProfile(id)
    }
    forgetClaim()
  })

  it('are two people: the second tab finds the first profile held', async () => {
    const first = keep(await known(await claimNew(), 'alice'))
    assert.isTrue(first.fresh)
    anotherTab()
    assert.isUndefined(await claimBefore())
    assert.isTrue((await heldProfiles()).has(first.profile))
    assert.isUndefined(await claimThis(first.profile))
  })

  it('find a profile again once nobody holds it', async () => {
    const first = await known(await claimNew(), 'alice')
    first.release()
    anotherTab()
    // The browser lets go a moment later.
    while ((await heldProfiles()).has(first.profile));
    const again = await claimThis(first.profile)
    assert.isDefined(again)
    if (again !== undefined) assert.isFalse(keep(again).fresh)
  })

  it('keep their own profile over a reload', async () => {
    await known(keep(await claimNew()), 'alice')
    const mine = await known(await claimNew(), 'bob')
    mine.release()
    const again = await claimBefore()
    assert.equal(again && keep(again).profile, mine.profile)
  })

  it('can take a profile over, and the one that had it is told', async () => {
    const first = await known(await claimNew(), 'alice')
    const told = new Promise<void>((resolve) => {
      first.onTakeover = () => {
        first.release()
        resolve()
      }
    })
    const second = keep(await takeOver(first.profile))
    await told
    assert.equal(second.profile, first.profile)
    assert.isUndefined(await claimThis(first.profile))
  })

  it('can take it over from a tab that does not answer', async () => {
    const first = await known(await claimNew(), 'alice')
    let told = 0
    first.onTakeover = () => {
      told += 1 // and does not let go
    }
    const second = keep(await takeOver(first.profile))
    assert.equal(second.profile, first.profile)
    assert.isAtLeast(told, 1)
  })

  it('notice a profile whose store the browser has wiped', async () => {
    const claim = keep(await known(await claimNew(), 'alice'))
    assert.deepEqual(await wipedProfiles(), [])
    await idbStorage(claim.profile).destroy()
    assert.deepEqual(await wipedProfiles(), [{ id: claim.profile, user: 'alice' }])
    await forgetProfile(claim.profile)
    assert.deepEqual(await wipedProfiles(), [])
  })
})
