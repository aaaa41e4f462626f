import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks again and again, at once and then with longer and longer pauses (1 to 20 ms), until the answer is yes.
 * Resolves with false when `timeout` milliseconds are over without one. `tick` runs before each further attempt.
 */
export const waitUntil = async (
  done: () => boolean,
  timeout: number,
  tick?: (attempt: number) => void,
): Promise<boolean> => {
  if (done()) return true
  const end = performance.now() + timeout
  for (let attempt = 1; performance.now() < end; attempt += 1) {
    await sleep(Math.min(attempt, 20))
    tick?.(attempt)
    if (done()) return true
  }
  return false
}
