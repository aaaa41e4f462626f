import type { CgroupEventBody, CgroupPressureTrigger } from './event.ts'
import { readIfThere } from './file.ts'
import { parsePressure, watchPressure } from './pressure.ts'

/**
 * Tells when a trigger begins to fire, and when it has stopped: not in two windows. Returns what ends that. Throws if
 * the trigger can't be set.
 */
export const watchTrigger = (
  file: string,
  trigger: CgroupPressureTrigger,
  tell: (event: CgroupEventBody) => void,
  fail: (error: unknown) => void,
): (() => void) => {
  const { resource, kind: line, stall, window } = trigger
  const watch = watchPressure(file, trigger)
  let calm: NodeJS.Timeout | undefined
  const say = (above: boolean): void => {
    const avg10 = parsePressure(readIfThere(file) ?? '')[line]?.avg10
    tell({ kind: 'pressure', resource, line, stall, window, above, avg10 })
  }
  const listen = async (): Promise<void> => {
    while (await watch.next()) {
      if (calm === undefined) say(true)
      clearTimeout(calm)
      calm = setTimeout(
        () => {
          calm = undefined
          say(false)
        },
        (2 * window) / 1000,
      )
    }
  }
  listen().catch(fail)
  return () => {
    clearTimeout(calm)
    watch.close()
  }
}
