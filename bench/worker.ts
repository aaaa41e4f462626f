// A process that does what it is asked over its channel and says how long it took. What is measured is measured in a
// process of its own, since it depends on that process: its heap, its threads, what its event loop has to do.
import { spawn } from 'node:child_process'
import type { StdioOptions } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { setImmediate as immediate, setTimeout as wait } from 'node:timers/promises'
import type { Program } from '../src/index.ts'
import { run } from '../src/index.ts'
import type { Answer, Request } from './worker-client.ts'
import { trueOptions } from './tools.ts'

const [trueProgram = '', heap = '0'] = process.argv.slice(2)

/** `megabytes` of memory in use, half of it in buffers, half in objects of JavaScript, all of it touched. */
const fillHeap = (megabytes: number): readonly unknown[] => {
  const buffers = Array.from({ length: megabytes / 2 }, (_, index) => Buffer.alloc(1 << 20, (index % 255) + 1))
  // About 128 bytes for each: an object of two fields, a number in a heap cell and a string.
  const objects = Array.from({ length: megabytes * 4096 }, (_, index) => ({
    half: index + 0.5,
    name: `object ${index}`,
  }))
  return [buffers, objects]
}
const filled = fillHeap(Number(heap))

const now = (): number => Number(process.hrtime.bigint())

const runTrue = async (): Promise<void> => {
  const { exitCode } = await run(['/true'], trueOptions(trueProgram))
  if (exitCode !== 0) throw new Error(`true exited with ${exitCode}`)
}

/** As run() has it: output is read to its end. */
const spawnTrue = (stdio: StdioOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(trueProgram, [], { stdio })
    const chunks: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`true exited with ${code}`))))
  })

const WAYS = {
  run: runTrue,
  'spawn pipe': () => spawnTrue(['ignore', 'pipe', 'pipe']),
  'spawn ignore': () => spawnTrue('ignore'),
} as const

/** Nanoseconds from the call to the result. */
const timed = async (way: () => Promise<void>): Promise<number> => {
  const began = now()
  await way()
  return now() - began
}

/** The longest time, in nanoseconds, between two turns of an event loop that always has something to do. */
const longestHold = async (way: () => Promise<void>): Promise<number> => {
  let longest = 0
  let last = now()
  let on = true
  const turn = (): void => {
    const at = now()
    longest = Math.max(longest, at - last)
    last = at
    if (on) setImmediate(turn)
  }
  setImmediate(turn)
  await immediate()
  longest = 0
  await way()
  turn()
  on = false
  return longest
}

/** How many containers a second, so many of them at once. */
const rate = async (atOnce: number, milliseconds: number): Promise<number> => {
  const began = now()
  const end = began + milliseconds * 1e6
  let count = 0
  const one = async (): Promise<void> => {
    while (now() < end) {
      await runTrue()
      count++
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return count / ((now() - began) / 1e9)
}

const smaps = (pid: number | 'self'): { readonly rss: number; readonly pss: number } => {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'ascii')
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024
  return { rss: bytes('Rss'), pss: bytes('Pss') }
}

/** Whether the program beside this PID 1 has been reached. */
const sleeps = (pid: number): boolean => {
  const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'ascii').trim()
  return child !== '' && readFileSync(`/proc/${child}/comm`, 'ascii').trim() === 'sleep'
}

const startSleeping = async (count: number): Promise<readonly Program[]> => {
  const programs = Array.from({ length: count }, () => run(['/usr/bin/sleep', '1000']))
  for (const program of programs) while (program.pid === undefined || !sleeps(program.pid)) await wait(5)
  return programs
}

const settle = async (): Promise<void> => {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await wait(50)
  }
}

/** What `count` more running containers add to what one costs: bytes of this process, descriptors, bytes of each PID 1. */
const kept = async (count: number): Promise<readonly number[]> => {
  const first = await startSleeping(1)
  await settle()
  const before = { ...smaps('self'), fds: readdirSync('/proc/self/fd').length }
  const more = await startSleeping(count)
  await settle()
  const after = { ...smaps('self'), fds: readdirSync('/proc/self/fd').length }
  const own = more.map(({ pid = 0 }) => smaps(pid))
  const all = [...first, ...more]
  for (const program of all) program.kill('SIGKILL')
  await Promise.all(all)
  const total = (key: 'rss' | 'pss'): number => own.reduce((sum, part) => sum + part[key], 0)
  return [after.rss - before.rss, after.pss - before.pss, after.fds - before.fds, total('rss'), total('pss')].map(
    (sum) => sum / count,
  )
}

const perform = async (request: Request): Promise<readonly number[]> => {
  switch (request.task) {
    case 'time':
      return [await timed(WAYS[request.way])]
    case 'hold':
      return [await longestHold(WAYS[request.way])]
    case 'rate':
      return [await rate(request.atOnce, request.milliseconds)]
    case 'kept':
      return kept(request.count)
  }
}

const answer = async (request: Request): Promise<Answer> => {
  try {
    return { values: await perform(request) }
  } catch (error) {
    return { error: String(error) }
  }
}

process.on('message', (request: Request) => {
  void answer(request).then((result) => process.send?.(result))
})
// What was filled stays in use as long as the process does.
process.once('exit', () => void filled.length)
