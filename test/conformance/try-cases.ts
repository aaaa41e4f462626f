import { rmSync } from 'node:fs'
import { after, test } from 'node:test'
import { expectNothingLeft } from '../host/leaks.ts'
import type { Case } from './case.ts'
import { Container, removeGroups } from './container.ts'
import { chosenRuntime, whyNot } from './runtime.ts'

/** A test for each case, on the runtime that TARE_CONFORMANCE_RUNTIME names: this project's own where it doesn't. */
export const tryCases = async (cases: readonly Case[]): Promise<void> => {
  const runtime = chosenRuntime()
  const unable = whyNot(runtime)
  // Also what the runtime is known to do otherwise.
  const all = process.env['TARE_CONFORMANCE_ALL'] === '1'
  const { scratch } = await expectNothingLeft()
  after(removeGroups)

  for (const each of cases) {
    test(`${runtime}: ${each.section}: ${each.must}`, async (t) => {
      const reason = unable ?? each.lacks() ?? (all ? undefined : each.differs[runtime])
      if (reason !== undefined) return t.skip(reason)
      const directory = scratch()
      const container = new Container(runtime, directory, each.config)
      try {
        await each.story(container)
      } finally {
        await container.remove()
        rmSync(directory, { recursive: true })
      }
    })
  }
}
