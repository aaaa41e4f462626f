import { trySyscall } from '../linux/syscall.ts'

/** Descriptors that are closed together, whatever happens in between. */
export class Descriptors {
  readonly #open = new Set<number>()

  /** Takes care of a descriptor. */
  add(fd: number): number {
    this.#open.add(fd)
    return fd
  }

  /** Leaves a descriptor to the caller. */
  release(fd: number): number {
    this.#open.delete(fd)
    return fd
  }

  close(fd: number): void {
    if (this.#open.delete(fd)) trySyscall('close', fd)
  }

  closeAll(): void {
    for (const fd of this.#open) trySyscall('close', fd)
    this.#open.clear()
  }
}
