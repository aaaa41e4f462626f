import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { run } from '../src/index.ts'
import { makeBundle, makeRoot } from './bundle.ts'
import { ownCgroup, withoutUnified } from './peers.ts'
import type { PartReport, Row } from './report.ts'
import type { Tools } from './tools.ts'
import { findProgram, trueOptions } from './tools.ts'
import { Worker, warmUp } from './worker-client.ts'

const MIB = 2 ** 20
const STEP = MIB / 16
/** No runtime that is known needs more. */
const ENOUGH = 64 * MIB

export const MEMORY_HOW = `Fifty containers that sleep are started beside one that does, by one process; what it has more then (after collecting
garbage), and what each PID 1 has, are Rss and Pss of /proc/PID/smaps_rollup, divided by fifty. Memory that the kernel
itself keeps for namespaces and mounts isn't in it. The smallest limit is found by halving, in steps of 64 KiB; a limit
counts if the static program exits with 0 under it three times in a row. runc and crun get theirs in the bundle.`

const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`
const mebibytes = (bytes: number): string => `${(bytes / MIB).toFixed(2)} MiB`

/** The smallest multiple of {@link STEP} that will do; undefined if even {@link ENOUGH} won't. */
const smallest = async (works: (bytes: number) => Promise<boolean>): Promise<number | undefined> => {
  const reliably = async (bytes: number): Promise<boolean> => {
    for (let time = 0; time < 3; time++) if (!(await works(bytes))) return false
    return true
  }
  let [low, high] = [0, ENOUGH / STEP]
  if (!(await reliably(ENOUGH))) return undefined
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await reliably(middle * STEP)) high = middle
    else low = middle
  }
  return high * STEP
}

const startsUnder =
  (tools: Tools) =>
  async (memory: number): Promise<boolean> => {
    try {
      const { exitCode, oomKilled } = await run(['/true'], {
        ...trueOptions(tools.trueProgram),
        memory,
        timeout: 10_000,
      })
      return exitCode === 0 && !oomKilled
    } catch {
      return false
    }
  }

const peerStartsUnder =
  (tools: Tools, runtime: string, rootfs: string) =>
  async (memory: number): Promise<boolean> => {
    const name = `memory-${runtime}`
    const program = findProgram(runtime) ?? runtime
    const bundle = makeBundle(join(tools.directory, name), {
      runtime: program,
      rootfs,
      cgroup: ownCgroup(name),
      memory,
    })
    const id = ownCgroup(name).slice(1)
    const on = runtime === 'crun' ? withoutUnified : (command: readonly string[]): readonly string[] => command
    const call = (words: readonly string[]): number | null => {
      const [first = '', ...rest] = on([program, ...words])
      return spawnSync(first, rest, { stdio: 'ignore', timeout: 10_000 }).status
    }
    if (call(['run', '--bundle', bundle, id]) === 0) return true
    call(['delete', '--force', id])
    return false
  }

/** (g) memory that stays, and the least that is needed. */
export const measureMemory = async (tools: Tools): Promise<PartReport> => {
  using worker = new Worker(tools.trueProgram, 0)
  await warmUp(worker, ['run'], 30)
  const count = tools.quick ? 10 : 50
  const [rss = 0, pss = 0, descriptors = 0, initRss = 0, initPss = 0] = await worker.ask({ task: 'kept', count })
  const remarks: string[] = []
  const limits: Row[] = []
  const own = await smallest(startsUnder(tools))
  if (own === undefined) remarks.push('the smallest memory limit of Tare is not known: none works here')
  else
    limits.push({
      measure: 'smallest memory limit, run()',
      median: mebibytes(own),
      value: own / MIB,
      target: { most: 1 },
    })
  const rootfs = makeRoot(tools.directory, tools.trueProgram)
  for (const runtime of ['crun', 'runc']) {
    const found =
      findProgram(runtime) === undefined ? undefined : await smallest(peerStartsUnder(tools, runtime, rootfs))
    if (found === undefined)
      remarks.push(`the smallest memory limit of ${runtime} is skipped: it is not installed, or refuses all`)
    else limits.push({ measure: `smallest memory limit, ${runtime} run`, median: mebibytes(found) })
  }
  return {
    rows: [
      { measure: 'kept for each running container, in the process that started it: Pss', median: kibibytes(pss) },
      { measure: 'the same, Rss', median: kibibytes(rss) },
      { measure: 'descriptors of that process for each', median: descriptors.toFixed(1) },
      { measure: 'kept for each running container, by its PID 1: Pss', median: kibibytes(initPss) },
      { measure: 'the same, Rss', median: kibibytes(initRss) },
      ...limits,
    ],
    remarks: [
      ...remarks,
      'The memory of a detached container beside that of conmon is not measured: there are no detached containers yet.',
    ],
  }
}
