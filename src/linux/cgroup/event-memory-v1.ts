import type { Epoll } from '../epoll.ts'
import { openEventfd, readEventfd } from '../epoll.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../fcntl.ts'
import { hintedSyscall } from '../hinted-syscall.ts'
import { syscall, trySyscall } from '../syscall.ts'
import type { CgroupEventBody, EventSource, MemoryLevel } from './event.ts'
import { MEMORY_LEVELS } from './event.ts'
import { readIfThere } from './file.ts'
import { parseAmount } from './parse.ts'

const O_WRONLY_CLOEXEC = 0o2000001

/** Levels come in swarms: after one is heard, the next is listened for after so many ms. */
const LEVEL_PAUSE = 1000

/**
 * Has the kernel signal an eventfd when something happens to a file of a group of version 1 (memory.rst, "Eventfd-based
 * notifications"). Returns the eventfd; closing it ends that.
 */
const registerEvent = (directory: string, file: string, argument = ''): number => {
  const path = `${directory}/${file}`
  const control = `${directory}/cgroup.event_control`
  const operation = `be told of ${file} of`
  const hints = { EACCES: 'It takes permission to write cgroup.event_control there: run as root.' }
  const purpose = { operation, target: directory }
  const fds: number[] = []
  const event = openEventfd()
  try {
    const watched = hintedSyscall(purpose, hints, 'openat', AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
    fds.push(watched)
    const writer = hintedSyscall(purpose, hints, 'openat', AT_FDCWD, control, O_WRONLY_CLOEXEC, 0)
    fds.push(writer)
    const words = Buffer.from(`${event} ${watched} ${argument}`)
    syscall(purpose, 'write', writer, words, words.length)
    return event
  } catch (error) {
    trySyscall('close', event)
    throw error
  } finally {
    for (const fd of fds) trySyscall('close', fd)
  }
}

type React = () => readonly CgroupEventBody[]

/** What to do when memory in use crosses a threshold. */
const thresholdReaction = (directory: string, threshold: number, fd: number): React => {
  return () => {
    readEventfd(fd)
    const current = parseAmount(readIfThere(`${directory}/memory.usage_in_bytes`) ?? '')
    return current === undefined ? [] : [{ kind: 'threshold', threshold, current, above: current >= threshold }]
  }
}

/** A group that is removed has all its eventfds signalled. */
const isThere = (directory: string): boolean => readIfThere(`${directory}/memory.oom_control`) !== undefined

/** Out of memory, levels of pressure and thresholds of a group of version 1. `epoll` is what its descriptors are in. */
export const memorySourceV1 = (directory: string, thresholds: readonly number[], epoll: Epoll): EventSource => {
  const reactions = new Map<number, React>()
  const levels = new Map<MemoryLevel, number>()
  let pause: NodeJS.Timeout | undefined
  const close = (): void => {
    clearTimeout(pause)
    for (const fd of reactions.keys()) trySyscall('close', fd)
    reactions.clear()
  }
  /** A higher level is told to those who wait for a lower one, too: only the highest is news. */
  const takeLevels = (): readonly CgroupEventBody[] => {
    if (pause !== undefined) return []
    const counts = MEMORY_LEVELS.map((level) => ({ level, count: readEventfd(levels.get(level) ?? -1) }))
    for (const fd of levels.values()) epoll.remove(fd)
    pause = setTimeout(() => {
      pause = undefined
      for (const fd of levels.values()) epoll.add(fd)
    }, LEVEL_PAUSE)
    const highest = counts.findLast(({ count }) => count > 0)
    return highest === undefined || !isThere(directory) ? [] : [{ kind: 'level', ...highest }]
  }
  try {
    const oom = registerEvent(directory, 'memory.oom_control')
    reactions.set(oom, () => (readEventfd(oom) > 0 && isThere(directory) ? [{ kind: 'oom' }] : []))
    for (const level of MEMORY_LEVELS) {
      const fd = registerEvent(directory, 'memory.pressure_level', level)
      levels.set(level, fd)
      reactions.set(fd, takeLevels)
    }
    for (const threshold of thresholds) {
      const fd = registerEvent(directory, 'memory.usage_in_bytes', String(threshold))
      reactions.set(fd, thresholdReaction(directory, threshold, fd))
    }
  } catch (error) {
    close()
    throw error
  }
  return { fds: [...reactions.keys()], take: (fd) => reactions.get(fd)?.() ?? [], close }
}
