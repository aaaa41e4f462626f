import { Epoll } from '../epoll.ts'
import { InputError, TareError } from '../error.ts'
import type { Cgroup } from './cgroup.ts'
import { eventFileSource } from './event-files.ts'
import { killedSource } from './event-killed.ts'
import { memorySourceV1 } from './event-memory-v1.ts'
import { lookerV1 } from './event-look-v1.ts'
import { watchTrigger } from './event-pressure.ts'
import { EventQueue } from './event-queue.ts'
import type { CgroupEvent, CgroupEventBody, CgroupEventSource, CgroupPressureTrigger, EventSource } from './event.ts'
import { findCgroup } from './find.ts'
import { mainDirectory } from './kill.ts'
import { hierarchyOf, readCgroupLayout } from './layout.ts'

export interface CgroupEventsOptions {
  /** What waiting is worth a word; by default some processes' for a fifth of two seconds, for each of the three. */
  readonly pressure?: readonly CgroupPressureTrigger[] | undefined
  /** Bytes of memory whose crossing is told. Version 1 only. */
  readonly thresholds?: readonly number[] | undefined
  /** Ends the events. */
  readonly signal?: AbortSignal | undefined
}

/** Some processes waiting for 0.4 s of 2 s. The window is one that every user may set. */
const DEFAULT_PRESSURE: readonly CgroupPressureTrigger[] = (['cpu', 'memory', 'io'] as const).map((resource) => ({
  resource,
  kind: 'some',
  stall: 400_000,
  window: 2_000_000,
}))

/** After word of a kill, ms until it has been counted. */
const SOON = 50

/** One watch of one group: all that listens, and what it has heard. */
class EventWatch {
  readonly queue: EventQueue = new EventQueue()
  readonly missing: { source: CgroupEventSource; reason: string }[] = []
  readonly #group: Cgroup
  readonly #epoll: Epoll = new Epoll()
  readonly #sources = new Map<number, EventSource>()
  readonly #closers: (() => void)[] = []
  #look: (() => void) | undefined

  constructor(group: Cgroup) {
    this.#group = group
    this.#closers.push(() => this.#epoll.close())
  }

  /** Sets all up. What this kernel or this user can't have is noted as missing. */
  open({ pressure = DEFAULT_PRESSURE, thresholds = [] }: CgroupEventsOptions): void {
    const group = this.#group
    const { layout, directories } = group
    this.#add('counters', () => eventFileSource(directories, mainDirectory(directories)))
    this.#add('killed', () => killedSource(group.name))
    const memory = hierarchyOf(layout, 'memory')?.version === 1 ? group.directoryOf('memory') : undefined
    if (memory !== undefined) this.#add('memory', () => memorySourceV1(memory, thresholds, this.#epoll))
    const looker = lookerV1(group, (events) => this.#tell(events))
    this.#look = looker?.look
    if (looker !== undefined) this.#closers.push(looker.close)
    for (const trigger of pressure) this.#watchPressure(trigger)
    this.#listen().catch((error: unknown) => this.queue.fail(error))
  }

  close(): void {
    for (const close of this.#closers.splice(0).toReversed()) close()
  }

  #tell(events: readonly CgroupEventBody[]): void {
    for (const event of events) this.queue.push(event)
    const counted = events.some(({ kind }) => kind === 'oom' || kind === 'killed' || kind === 'level')
    if (counted && this.#look !== undefined) setTimeout(this.#look, SOON).unref()
  }

  async #listen(): Promise<void> {
    for (let fds = await this.#epoll.ready(); fds.length > 0; fds = await this.#epoll.ready()) {
      for (const fd of fds) this.#tell(this.#sources.get(fd)?.take(fd) ?? [])
    }
  }

  #add(source: CgroupEventSource, open: () => EventSource): void {
    try {
      const opened = open()
      this.#closers.push(() => opened.close())
      for (const fd of opened.fds) {
        this.#sources.set(fd, opened)
        this.#epoll.add(fd)
      }
    } catch (error) {
      this.#note(source, error)
    }
  }

  #note(source: CgroupEventSource, error: unknown): void {
    if (!(error instanceof TareError)) throw error
    // What is so for one pressure file is so for all.
    if (this.missing.some((known) => known.source === source)) return
    this.missing.push({ source, reason: error.message.split('\n', 1)[0] ?? '' })
  }

  #watchPressure(trigger: CgroupPressureTrigger): void {
    const directory = this.#group.directoryOf('unified')
    if (directory === undefined) {
      const reason = 'the group is not in the hierarchy of version 2, which alone keeps pressure for groups'
      if (this.missing.every(({ source }) => source !== 'pressure')) this.missing.push({ source: 'pressure', reason })
      return
    }
    try {
      const file = `${directory}/${trigger.resource}.pressure`
      const tell = (event: CgroupEventBody): void => this.#tell([event])
      this.#closers.push(watchTrigger(file, trigger, tell, (error) => this.queue.fail(error)))
    } catch (error) {
      if (error instanceof InputError) throw error
      this.#note('pressure', error)
    }
  }
}

const checkThresholds = (group: Cgroup, thresholds: readonly number[]): void => {
  if (thresholds.length === 0) return
  const operation = 'watch thresholds of memory of'
  if (hierarchyOf(group.layout, 'memory')?.version !== 1) {
    const hint = 'Set memory.high, and watch the counter "high" of memory.events, or give a pressure trigger.'
    throw new InputError({ operation, target: group.name, reason: 'cgroup version 2 has none', hint })
  }
  if (group.directoryOf('memory') === undefined)
    throw new InputError({ operation, target: group.name, reason: 'the group has no memory controller' })
  const wrong = thresholds.find((threshold) => !Number.isSafeInteger(threshold) || threshold < 0)
  if (wrong !== undefined)
    throw new InputError({ operation, target: group.name, reason: `${wrong} is not a number of bytes` })
}

/**
 * What happens to a group, as it happens: memory that runs out and who is killed for it, forks that are refused,
 * freezing, becoming empty, waiting for cpu, memory and I/O, and its end. The first event says that the watch has begun;
 * after `removed` there are no more. The kernel tells all that by itself, but for version 1's `frozen`, `populated` and
 * counters, which are looked at once a second.
 *
 * `group` is named as for `findCgroup`. Throws {@link InputError} for one that isn't there, or what can't be watched.
 */
export async function* cgroupEvents(
  group: string,
  options: CgroupEventsOptions = {},
): AsyncGenerator<CgroupEvent, void, void> {
  const found = findCgroup(readCgroupLayout(), group)
  checkThresholds(found, options.thresholds ?? [])
  const watch = new EventWatch(found)
  const stop = (): void => watch.queue.end()
  try {
    watch.open(options)
    options.signal?.addEventListener('abort', stop)
    if (options.signal?.aborted === true) return
    const { populated, frozen } = found
    yield { time: Date.now(), kind: 'watching', populated, frozen, missing: watch.missing }
    for await (const event of watch.queue) {
      yield event
      if (event.kind === 'removed') return
    }
  } finally {
    options.signal?.removeEventListener('abort', stop)
    watch.close()
  }
}
