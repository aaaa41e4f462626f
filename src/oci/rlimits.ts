import { rlimitNumber } from '../linux/rlimit.ts'
import type { Rlimit } from './process.ts'

/** A limit by the kernel's number. */
export interface NumberedRlimit {
  readonly resource: number
  readonly name: string
  readonly soft: bigint
  readonly hard: bigint
}

/** `process.rlimits` as prlimit(2) takes them; no limit is all 64 bits in both. */
export const numberRlimits = (rlimits: readonly Rlimit[] = []): readonly NumberedRlimit[] =>
  rlimits.map(({ type, soft, hard }) => ({
    resource: rlimitNumber(type),
    name: type,
    soft: BigInt(soft),
    hard: BigInt(hard),
  }))
