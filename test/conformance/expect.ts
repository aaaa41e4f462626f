import assert from 'node:assert/strict'
import type { Case, Change, Conditions } from './case.ts'
import { lives } from './case.ts'
import type { Config } from './config.ts'
import { changed } from './config.ts'

const withScript =
  (change: Change, script: string) =>
  (bundle: string): Config =>
    changed({ process: { args: ['sh', '-c', script] } }, typeof change === 'function' ? change(bundle) : change)

/** A shell in the container prints these lines, and ends well. */
export const prints = (
  section: string,
  must: string,
  change: Change,
  script: string,
  lines: readonly string[],
  conditions?: Conditions,
): Case =>
  lives(
    section,
    must,
    withScript(change, script),
    (container) => {
      const { stdout } = container.must('run', '--bundle', container.bundle, container.id)
      assert.deepEqual(stdout.trimEnd().split('\n'), lines)
    },
    conditions,
  )

/** What a shell in the container prints is looked at by a function, which asserts. */
export const shows = (
  section: string,
  must: string,
  change: Change,
  script: string,
  check: (output: string, container: Parameters<Case['story']>[0]) => void,
  conditions?: Conditions,
): Case =>
  lives(
    section,
    must,
    withScript(change, script),
    (container) => {
      const { stdout } = container.must('run', '--bundle', container.bundle, container.id)
      check(stdout.trimEnd(), container)
    },
    conditions,
  )

/** The container isn't created, and nothing of it is left. */
export const refuses = (section: string, must: string, change: Change, conditions?: Conditions): Case =>
  lives(
    section,
    must,
    change,
    (container) => {
      const { stderr } = container.mustNot('create', '--bundle', container.bundle, container.id)
      assert.notEqual(stderr, '', 'it says why')
      assert.equal(container.state(), undefined)
      assert.deepEqual(container.leftovers(), [])
    },
    conditions,
  )
