import { readFileSync } from 'node:fs'
import type { RunSource } from './to-run-options.ts'
import { UsageError } from './usage-error.ts'

/** This process's environment, and the host's files. */
export const HOST_SOURCE: RunSource = {
  env: process.env,
  readFile: (path, what) => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      throw new UsageError(`cannot read ${path} as ${what}: ${code}`, 'Give the path of a file that you may read.')
    }
  },
}
