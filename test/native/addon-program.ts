// A program of its own, for test/native/addon.test.ts: `addon-program ACT`. It is run by Node and by Bun.
import assert from 'node:assert/strict'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import { binding } from '../../src/linux/binding.ts'
import { CallTable } from '../../src/linux/call-table.ts'
import { ARCHITECTURE, syscall, trySyscall } from '../../src/linux/syscall.ts'
import { encode } from './plan-bytes.ts'
import { OUT, ownMachine, waitFor } from './stage.ts'

const purpose = { operation: 'test the addon' }
const O_CLOEXEC = 0x80000

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const exiting = (status: number): Uint8Array =>
  encode({ steps: [{ call: 'exit_group', args: [status] }] }, ARCHITECTURE)

const makePipe = (): readonly [reads: number, writes: number] => {
  const pipe = new Int32Array(2)
  syscall(purpose, 'pipe2', pipe, O_CLOEXEC)
  return [pipe[0] ?? -1, pipe[1] ?? -1]
}

const readable = (fd: number): Promise<void> =>
  new Promise((resolve) => {
    assert.equal(binding.watch(fd, resolve), 0)
  })

/** Two threads make the calls of as many parts. */
const shareCalls = (): void => {
  const parts = 200
  const table = new CallTable([['dup', 0], ['close', { resultOf: 0 }], ['getpid']], { parts, room: 0 })
  table.run()
  for (let part = 0; part < parts; part++) {
    assert.equal(table.result(1, part), 0)
    assert.equal(table.result(2, part), process.pid)
  }
}

/** A system call, many of them by two threads, a start, a watch. */
const useAll = async (status: number): Promise<void> => {
  assert.equal(trySyscall('getpid'), process.pid)
  shareCalls()
  const { exitCode, reports } = await ownMachine.start(exiting(status)).outcome
  assert.deepEqual({ exitCode, reports }, { exitCode: status, reports: [] })
}

const useInWorker = (act: string): Worker => new Worker(fileURLToPath(import.meta.url), { workerData: act })

const message = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })

/** As many processes as this live at once, and end at once. */
const PROCESSES = 500

const ACTS: Readonly<Record<string, () => Promise<void>>> = {
  use: async () => {
    await useAll(7)
    say('used')
  },

  'use-in-worker': async () => {
    const worker = useInWorker('work')
    const answer = message(worker)
    for (let i = 0; i < 20; i++) await useAll(i)
    assert.equal(await answer, 'worked')
    say('used')
  },

  'terminate-worker': async () => {
    for (let i = 0; i < 10; i++) {
      const worker = useInWorker('wait')
      assert.equal(await message(worker), 'waiting')
      await worker.terminate()
      await useAll(i)
    }
    say('terminated')
  },

  // The pipe becomes readable while the worker is being terminated.
  'terminate-notified-worker': async () => {
    for (let i = 0; i < 30; i++) {
      const worker = useInWorker('wait-for-many')
      const writes = await message(worker)
      const ended = worker.terminate()
      trySyscall('write', Number(writes), 'x', 1)
      await ended
      trySyscall('close', Number(writes))
    }
    await useAll(3)
    say('terminated')
  },

  'watch-pipes': async () => {
    const pipes = Array.from({ length: 1000 }, makePipe)
    const calls = pipes.map(() => 0)
    const all = pipes.map(async ([reads], index) => {
      await readable(reads)
      calls[index] = (calls[index] ?? 0) + 1
    })
    for (const [, writes] of pipes.toReversed()) assert.equal(trySyscall('write', writes, 'x', 1), 1)
    await Promise.all(all)
    assert.deepEqual([...new Set(calls)], [1])
    // What was watched once can be watched again.
    await Promise.all(pipes.map(([reads]) => readable(reads)))
    say('watched')
  },

  'watch-processes': async () => {
    const [reads, writes] = makePipe()
    const steps = [
      { call: 'read' as const, args: [OUT, 0, 0] },
      { call: 'read' as const, args: [OUT, { data: 0 }, 1] },
      { call: 'exit_group' as const, args: [4] },
    ]
    const plan = encode({ steps, data: new Uint8Array(8) }, ARCHITECTURE)
    const processes = Array.from({ length: PROCESSES }, () => {
      const memfd = syscall(purpose, 'memfd_create', 'plan', 1)
      syscall(purpose, 'write', memfd, plan, plan.length)
      const result = new BigInt64Array(2)
      const pid = binding.start(0, Int32Array.of(-1, 1, 2, -1, memfd, reads), -1, false, 0, result)
      assert.ok(pid > 0)
      trySyscall('close', memfd)
      return { pid, result }
    })
    const ended = processes.map(({ pid, result }) => waitFor(pid, result))
    trySyscall('close', writes)
    assert.deepEqual([...new Set(await Promise.all(ended))], [4 << 8])
    say('watched')
  },

  // Descriptor 3 is a pipe whose other end the test holds: nothing else keeps this process.
  stay: async () => {
    assert.equal(
      binding.watch(3, () => say('readable')),
      0,
    )
    say('watching')
  },

  // Nothing is watched any more, but the thread of the addon is there.
  leave: async () => {
    const [reads, writes] = makePipe()
    const ready = readable(reads)
    trySyscall('write', writes, 'x', 1)
    await ready
    say('left')
  },
}

const WORK: Readonly<Record<string, () => Promise<void>>> = {
  work: async () => {
    for (let i = 0; i < 20; i++) await useAll(100 + i)
    parentPort?.postMessage('worked', [])
  },
  wait: async () => {
    await useAll(1)
    const [reads] = makePipe()
    parentPort?.postMessage('waiting', [])
    await readable(reads)
  },
  'wait-for-many': async () => {
    const [reads, writes] = makePipe()
    const watched = Array.from({ length: 50 }, () => syscall(purpose, 'fcntl', reads, 0, 0))
    parentPort?.postMessage(writes, [])
    await Promise.all(watched.map(readable))
  },
}

const act = isMainThread ? ACTS[process.argv[2] ?? ''] : WORK[String(workerData)]
assert.ok(act !== undefined, 'there is no such act')
await act()
