import { accessSync, constants, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunOptions } from '../src/engine/options.ts'
import { resolveContainer } from '../src/engine/resolve.ts'

/** What all parts use. */
export interface Tools {
  /** Fewer samples: to see that all works, not for figures. */
  readonly quick: boolean
  /** A directory that is removed at the end. */
  readonly directory: string
  /** The static program that only ends. */
  readonly trueProgram: string
  /** bench/floor.c */
  readonly floor: string
  /** The default seccomp filter, for {@link floor}. */
  readonly filter: string
  /** The command line. */
  readonly tare: string
  /** The same as one program, which may not be built (`npm run build:standalone`). */
  readonly standalone: string
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The path of an installed program; undefined where there is none of that name. */
export const findProgram = (name: string): string | undefined =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
    .map((directory) => join(directory, name))
    .find(isProgram)

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The default container with the static program in it. Its owner stays as it is, so that any file system will do. */
export const trueOptions = (trueProgram: string): RunOptions => ({
  mounts: [{ source: trueProgram, target: '/true', readOnly: true, idmap: false }],
})

/** Runs `use` with the tools, and removes what they left. */
export const withTools = async <T>(quick: boolean, use: (tools: Tools) => Promise<T>): Promise<T> => {
  const [trueProgram, floor] = ['true', 'floor'].map((name) => join(root, 'build', 'bench', name))
  if (trueProgram === undefined || floor === undefined || !existsSync(trueProgram) || !existsSync(floor))
    throw new Error('bench/true.c and bench/floor.c are not built: start this by "npm run bench"')
  const directory = mkdtempSync(join(tmpdir(), 'tare-bench-'))
  try {
    const filter = join(directory, 'filter')
    const { spec } = resolveContainer(['/true'], trueOptions(trueProgram))
    writeFileSync(filter, spec.process.seccomp?.program ?? new Uint8Array())
    return await use({
      quick,
      directory,
      trueProgram,
      floor,
      filter,
      tare: join(root, 'bin', 'tare'),
      standalone: join(root, 'build', 'standalone', 'tare'),
    })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
