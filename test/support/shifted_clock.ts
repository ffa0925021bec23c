/**
 * A wrong clock for a part of Sotto, loaded with `--import`: the time of day is off by as many
 * milliseconds as the file that SOTTO_TEST_CLOCK names says, looked at again all the time.
 */
import { readFileSync } from 'node:fs'

const LOOK_MS = 20

const file = process.env.SOTTO_TEST_CLOCK
const real = Date.now
let shift = 0
let looked = Number.NEGATIVE_INFINITY

function off(): number {
  const now = performance.now()
  if (file === undefined || now - looked < LOOK_MS) return shift
  looked = now
  try {
    shift = Number(readFileSync(file, 'utf8')) || 0
  } catch {
    // Nobody has set it yet.
  }
  return shift
}

Date.now = () => real() + off()
