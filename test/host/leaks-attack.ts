import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { BindMount, RunOptions } from '../../src/engine/options.ts'
import { ERRNO } from '../../src/linux/errno.ts'
import { SYSCALLS } from '../../src/linux/syscall-table.ts'
import type { SyscallName } from '../../src/linux/syscall.ts'
import { lines } from './contained.ts'

const SOURCE = fileURLToPath(new URL('../../../test/host/attacks.c', import.meta.url))

/** The program of test/host/attacks.c, or why there is none. */
export interface Attack {
  readonly program: string
  readonly lack: string | undefined
}

/** Builds the hostile program in a directory, without libraries, so that it runs anywhere. */
export const buildAttack = (directory: string): Attack => {
  const program = join(directory, 'attack')
  const flags = ['-static', '-O1', '-Wall', '-Wextra', '-Werror', '-o', program, SOURCE, '-lrt']
  const { error, status, stderr } = spawnSync('cc', flags, { encoding: 'utf8' })
  const lack = error === undefined ? undefined : 'needs cc'
  if (error === undefined && status !== 0) throw new Error(stderr)
  return { program, lack }
}

/** Where the program lies in a container. */
export const ATTACK = '/attack'

export const attackMount = ({ program }: Attack): BindMount => ({ source: program, target: ATTACK, readOnly: true })

const NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(ERRNO).map(([name, number]) => [String(number), name]),
)

/** Makes attempts, one after the other, in one container: `done`, or the name of the errno, for each. */
export const attempts = async (
  attack: Attack,
  each: readonly string[],
  options: RunOptions = {},
): Promise<Readonly<Record<string, string>>> => {
  const script = each.map((attempt) => `${ATTACK} ${attempt}`).join('\n')
  const said = await lines(`{ ${script}\n} </dev/null`, {
    ...options,
    mounts: [attackMount(attack), ...(options.mounts ?? [])],
  })
  return Object.fromEntries(each.map((attempt, index) => [attempt, NAMES.get(said[index] ?? '') ?? said[index] ?? '']))
}

/** Makes an attempt on the host itself. */
export const attemptOnHost = (attack: Attack, ...words: readonly string[]): string => {
  const { stdout } = spawnSync(attack.program, words, { encoding: 'utf8' })
  return NAMES.get(stdout.trim()) ?? stdout.trim()
}

/** What `syscall N` is for a system call by name. */
export const callOf = (name: SyscallName): string => `syscall ${SYSCALLS[name][process.arch === 'arm64' ? 1 : 0]}`
