import { closeSync, fstatSync } from 'node:fs'

import { openParentNamespace, pidInNamespace } from '../linux/namespace.ts'
import type { ProcDirectory, ProcProcess } from '../linux/proc-directory.ts'

/** No more descriptors than this are held: before there are more, all are given up, and opened again when needed. */
const MOST_DESCRIPTORS = 256

/** More levels than the kernel allows (pid_namespaces(7)). */
const MOST_LEVELS = 33

/**
 * Asks the kernel for the numbers of processes in the pid namespaces that they are in, which takes a tenth of the time
 * that reading them from `status` takes. Holds a descriptor of each pid namespace: close it.
 */
export class PidTranslator {
  readonly #host: number | undefined
  /** Of each pid namespace the way to it: descriptors from the one below the host's on. Empty: it can't be asked. */
  readonly #ways: Map<number, readonly number[]> = new Map()
  readonly #held: number[] = []

  /** `host`: the inode of the pid namespace that this process is in, if known. */
  constructor(proc: ProcDirectory, host: number | undefined) {
    // Where /proc is another pid namespace's, its numbers mean nothing to a system call.
    this.#host = proc.self() === process.pid ? host : undefined
  }

  /**
   * The numbers of a process in the pid namespace of this inode and those around it, the reader's first. Undefined where
   * the kernel doesn't tell (before Linux 6.11), or not this user. As the kernel is asked by number, the process must
   * afterwards be seen to be there still.
   */
  pids(held: ProcProcess, namespace: number | undefined): readonly number[] | undefined {
    if (namespace === undefined || this.#host === undefined) return undefined
    const pids = [held.pid]
    if (namespace === this.#host) return pids
    for (const fd of this.#way(held, namespace)) {
      const pid = pidInNamespace(fd, held.pid)
      if (pid === undefined) return undefined
      pids.push(pid)
    }
    return pids.length > 1 ? pids : undefined
  }

  /** Gives up all descriptors. */
  close(): void {
    for (const fd of this.#held.splice(0)) closeSync(fd)
    this.#ways.clear()
  }

  #way(held: ProcProcess, namespace: number): readonly number[] {
    const known = this.#ways.get(namespace)
    if (known !== undefined) return known
    if (this.#held.length + MOST_LEVELS > MOST_DESCRIPTORS) this.close()
    const way = this.#findWay(held.openNamespace('pid'))
    this.#ways.set(namespace, way)
    return way
  }

  /** From a namespace outwards to the host's, which it isn't and which must be met: what is elsewhere has no numbers of ours. */
  #findWay(innermost: number | undefined): readonly number[] {
    const way: number[] = []
    for (let fd = innermost; fd !== undefined; fd = openParentNamespace(fd)) {
      if (fd !== innermost && fstatSync(fd).ino === this.#host) {
        closeSync(fd)
        return way
      }
      this.#held.push(fd)
      way.unshift(fd)
    }
    return []
  }
}
