import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long something may take, in ms: the host may do other things too. */
const PATIENCE = 30_000

/** Waits until something is so. Fails, and says what it waited for, where that takes longer than 30 s. */
export const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (const late = performance.now() + PATIENCE; !condition(); await sleep(10))
    assert.ok(performance.now() < late, `waited in vain until ${what}`)
}
