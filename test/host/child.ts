import { spawnSync } from 'node:child_process'

const face = new URL('../../src/linux/index.js', import.meta.url).href

/** How a child is started: through other programs, which change what it is before it starts. */
export interface ChildOptions {
  /** `['setpriv', '--reuid', '65534']`: goes before the command. */
  readonly through?: readonly string[]
}

/**
 * Runs JavaScript in a Node process of its own, as what it does to its thread can't be undone. All that
 * `tare/linux` exports is there as `linux`, and `fs`; what the code passes to `done` is the result.
 * Throws with the error output of a child that fails.
 */
export const inChild = (code: string, { through = [] }: ChildOptions = {}): unknown => {
  const script = `
    import * as linux from ${JSON.stringify(face)}
    import * as fs from 'node:fs'
    const done = (value) => fs.writeSync(1, JSON.stringify(value, (_, each) => typeof each === 'bigint' ? String(each) : each) ?? 'null')
    ${code}
  `
  const [program = process.execPath, ...rest] = [...through, process.execPath]
  const result = spawnSync(program, [...rest, '--input-type=module', '-e', script], { encoding: 'utf8' })
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) throw new Error(`the child ended with ${result.status ?? result.signal}: ${result.stderr}`)
  return JSON.parse(result.stdout)
}

/** Why a test that needs root can't run, or undefined. */
export const lacksRoot = (): string | undefined => (process.geteuid?.() === 0 ? undefined : 'needs root')

/** Why a test that needs a program can't run, or undefined. */
export const lacksProgram = (...programs: readonly string[]): string | undefined => {
  const missing = programs.filter((each) => spawnSync('sh', ['-c', `command -v ${each}`]).status !== 0)
  return missing.length === 0 ? undefined : `needs ${missing.join(' and ')}`
}
