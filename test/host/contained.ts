import assert from 'node:assert/strict'

import type { RunOptions } from '../../src/engine/options.ts'
import type { Program } from '../../src/engine/program.ts'
import { run } from '../../src/engine/run.ts'
import { InputError } from '../../src/linux/error.ts'

/** Whether this process is root, and not an ordinary user (see rootless.test.ts). */
export const isRoot: boolean = process.geteuid?.() === 0

/** What a shell script prints in a container, without the last line's end. It must succeed. */
export const sh = async (script: string, options: RunOptions = {}): Promise<string> => {
  const { exitCode, signal, stdout, stderr } = await run(['sh', '-c', script], options)
  assert.equal(exitCode, 0, `${script}: ${signal ?? exitCode}\n${stdout}\n${stderr}`)
  return stdout.replace(/\n$/, '')
}

/** As {@link sh}, by lines. */
export const lines = async (script: string, options: RunOptions = {}): Promise<readonly string[]> =>
  (await sh(script, options)).split('\n')

/** A field of /proc/self/status in a container. */
export const statusOf = async (field: string, options: RunOptions = {}): Promise<string> =>
  sh(`sed -n 's/^${field}:[[:space:]]*//p' /proc/self/status`, options)

/** The message of the InputError with which these options are refused; nothing may have been started. */
export const refusal = async (options: object, command: readonly string[] = ['true']): Promise<string> => {
  // What a caller without types may pass.
  const program = run(command, options as RunOptions)
  const error: unknown = await program.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof InputError, `${JSON.stringify(options)}: ${String(error)}`)
  assert.equal(error.code, 'ERR_TARE_INPUT')
  assert.equal(program.pid, undefined, 'nothing was started')
  return error.message
}

/** Resolves when the program has written `text`; rejects if it ends before. Its output is collected all the same. */
export const said = async (program: Program, text: string): Promise<void> => {
  let all = ''
  const spoken = new Promise<void>((resolve) => {
    program.stdout?.on('data', (chunk) => {
      all += String(chunk)
      if (all.includes(text)) resolve()
    })
  })
  const ended = program.then(() => assert.fail(`it ended, having said ${JSON.stringify(all)}`))
  await Promise.race([spoken, ended])
  // That it ends later is nobody's concern here.
  ended.catch(() => undefined)
}
