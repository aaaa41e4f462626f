/** What a container has besides its own processes: made ready before them, and gone after them. */
export interface Attachment {
  /** Called when the container's namespaces are there, and nothing runs in them yet: `pid` is in them. May throw. */
  readonly attach: (pid: number) => void
  /** Descriptors that hold it: it stays as long as any process has them open. */
  readonly descriptors: readonly number[]
  /** Called instead of {@link release} where another process holds the descriptors from now on. */
  readonly leave: () => void
  /** Called once: when the container has ended, or if it can't be started. */
  readonly release: () => void
}
