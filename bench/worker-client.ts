import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type Way = 'run' | 'spawn pipe' | 'spawn ignore'

export type Request =
  | { readonly task: 'time' | 'hold'; readonly way: Way }
  | { readonly task: 'rate'; readonly atOnce: number; readonly milliseconds: number }
  | { readonly task: 'kept'; readonly count: number }

export type Answer = { readonly values: readonly number[] } | { readonly error: string }

/** A process that measures (bench/worker.ts), and waits for nothing but requests. */
export class Worker {
  readonly #process: ChildProcess

  /** `heap`: so many MiB of memory are in use in it. */
  constructor(trueProgram: string, heap: number) {
    this.#process = fork(fileURLToPath(new URL('worker.js', import.meta.url)), [trueProgram, String(heap)], {
      execArgv: ['--expose-gc'],
    })
  }

  /** One request at a time. */
  ask(request: Request): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      const child = this.#process
      const ended = (code: number | null): void => reject(new Error(`the measuring process ended (${code})`))
      child.once('exit', ended)
      child.once('message', (answer: Answer) => {
        child.off('exit', ended)
        if ('error' in answer) reject(new Error(answer.error))
        else resolve(answer.values)
      })
      child.send(request)
    })
  }

  /** For requests that are answered by one number. */
  async number(request: Request): Promise<number> {
    const [value] = await this.ask(request)
    if (value === undefined) throw new Error('the measuring process said nothing')
    return value
  }

  [Symbol.dispose](): void {
    this.#process.kill()
  }
}

/** Lets a worker do each thing some times: what the engine compiles and caches is there then. */
export const warmUp = async (worker: Worker, ways: readonly Way[], times: number): Promise<void> => {
  for (const way of ways) for (let time = 0; time < times; time++) await worker.ask({ task: 'time', way })
}
