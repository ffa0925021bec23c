import { Command } from 'commander'
import { proxiedOption } from '../../relay/cli_options.ts'
import { afterEach, assert, describe, it } from '../support/suite.ts'

describe('--proxied', () => {
  afterEach(() => {
    delete process.env.SOTTO_PROXIED
  })

  function proxied(variable: string | undefined, ...flags: string[]): unknown {
    if (variable !== undefined) process.env.SOTTO_PROXIED = variable
    const command = new Command().addOption(proxiedOption()).exitOverride()
    return command
      .configureOutput({ writeErr: () => {} })
      .parse(flags, { from: 'user' })
      .opts().proxied
  }

  it('is on when it is said, by the flag or the variable', () => {
    for (const yes of ['true', '1', 'yes', 'on', 'Yes']) assert.isTrue(proxied(yes), yes)
    assert.isTrue(proxied(undefined, '--proxied'))
    assert.isTrue(proxied('no', '--proxied'))
  })

  it('is off otherwise, also when the variable says so', () => {
    assert.isFalse(proxied(undefined))
    for (const no of ['false', '0', 'no', 'off', '']) assert.isFalse(proxied(no), no)
    assert.isFalse(proxied('yes', '--proxied=no'))
  })

  it('is neither for anything else', () => {
    assert.throws(() => proxied('perhaps'), /yes or no/)
  })
})
