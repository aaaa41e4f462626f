import type { CgroupEvent, CgroupEventBody } from './event.ts'

/** Events between those who hear them and the one who reads them. */
export class EventQueue implements AsyncIterable<CgroupEvent> {
  #events: CgroupEvent[] = []
  #ended = false
  #error: unknown
  #wake: () => void = () => undefined

  push(event: CgroupEventBody): void {
    this.#events.push({ time: Date.now(), ...event })
    this.#wake()
  }

  /** No more events: what is there is still read. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** As {@link EventQueue.end}; whoever reads gets the error then. */
  fail(error: unknown): void {
    this.#error = error
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CgroupEvent, void, void> {
    for (;;) {
      const events = this.#events
      this.#events = []
      yield* events
      if (this.#events.length > 0) continue
      if (this.#ended) break
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#error !== undefined) throw this.#error
  }
}
