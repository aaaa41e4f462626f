import { errnoName, errnoText } from './errno.ts'

export interface TareErrorDetails {
  /** What was being done: `mount`, `set the memory limit`. Infinitive, without "cannot". */
  readonly operation: string
  /** What it was done to: a path, a name, a process. */
  readonly target?: string | undefined
  /** The system call that failed. */
  readonly syscall?: string | undefined
  /** The positive error number of the kernel. */
  readonly errno?: number | undefined
  /** Why, where no errno says it. */
  readonly reason?: string | undefined
  /** What to do about it: one sentence. */
  readonly hint?: string | undefined
  /** Stable name for programs; by default the errno's own (`ENOENT`), else `ERR_TARE`. */
  readonly code?: string | undefined
  readonly cause?: unknown
}

const word = (details: TareErrorDetails): string => {
  const { operation, target, errno, reason, hint } = details
  const subject = target === undefined ? operation : `${operation} ${target}`
  const why = reason ?? (errno === undefined ? undefined : errnoText(errno))
  const first = why === undefined ? `cannot ${subject}` : `cannot ${subject}: ${why}`
  return hint === undefined ? first : `${first}\n${hint}`
}

/**
 * Every failure of Tare: *cannot VERB OBJECT: ERRNO (meaning)*, and on the next line what to do about it.
 *
 * `code` is stable: the kernel's name for the error (`EACCES`), or a name that starts with `ERR_TARE_`.
 */
export class TareError extends Error {
  override readonly name = 'TareError'
  readonly code: string
  readonly operation: string
  readonly target: string | undefined
  readonly syscall: string | undefined
  readonly errno: number | undefined
  readonly hint: string | undefined

  constructor(details: TareErrorDetails) {
    super(word(details), details.cause === undefined ? {} : { cause: details.cause })
    this.code = details.code ?? (details.errno === undefined ? 'ERR_TARE' : errnoName(details.errno))
    this.operation = details.operation
    this.target = details.target
    this.syscall = details.syscall
    this.errno = details.errno
    this.hint = details.hint
  }
}

/** Bad input, found before anything was started: `code` is `ERR_TARE_INPUT`. */
export class InputError extends TareError {
  constructor(details: Omit<TareErrorDetails, 'code' | 'errno' | 'syscall'>) {
    super({ ...details, code: 'ERR_TARE_INPUT' })
  }
}
