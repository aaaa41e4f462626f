/** The exit statuses of the command line that are not the contained program's own; the same as docker's. */
export const EXIT_STATUS = {
  /** Tare itself failed: bad usage, or a wall that could not be built. */
  failure: 125,
  /** The program is there and can't be executed. */
  notExecutable: 126,
  /** There is no such program. */
  notFound: 127,
} as const

/** The status by which a shell reports an end by signal. */
export const signalStatus = (signal: number): number => 128 + signal

/**
 * The exit status that stands for an error: 127 or 126 where executing the contained program failed (execve(2)
 * refused with ENOENT, or with anything else), 125 for every other failure.
 */
export const exitStatusOf = (error: unknown): number => {
  if (typeof error !== 'object' || error === null || !('syscall' in error)) return EXIT_STATUS.failure
  if (error.syscall !== 'execve' && error.syscall !== 'execveat') return EXIT_STATUS.failure
  return 'code' in error && error.code === 'ENOENT' ? EXIT_STATUS.notFound : EXIT_STATUS.notExecutable
}
