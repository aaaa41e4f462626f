import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { fromNodeError } from '../linux/proc.ts'
import { lockByte } from '../linux/record-lock.ts'
import type { AddressPair } from './address-pair.ts'
import { pairNumber } from './address-pair.ts'

/** Empty: what counts are the locks on its bytes, which go with their holders. One file for all network namespaces. */
const FILE = '/run/tare/links'
/** Where the bytes begin that stand for pairs of addresses. */
const PAIRS = 2 ** 40

const openFile = (): number => {
  try {
    mkdirSync(dirname(FILE), { recursive: true, mode: 0o755 })
    // No one else may lock its bytes, and so keep links from being made.
    return openSync(FILE, 'a+', 0o600)
  } catch (error) {
    throw fromNodeError(error, 'open', FILE)
  }
}

/** What a link has to itself on this host as long as {@link fd} is open, in whatever process: a number, and addresses. */
export class Lease {
  readonly fd: number
  /** 1 and more; that of no other link. */
  readonly slot: number

  /** Takes the first number that is free. Throws {@link TareError}. */
  constructor() {
    this.fd = openFile()
    let slot = 1
    try {
      while (!lockByte(this.fd, slot)) slot += 1
    } catch (error) {
      closeSync(this.fd)
      throw error
    }
    this.slot = slot
  }

  /** Whether these addresses are now this link's, and are no other's. */
  take(pair: AddressPair): boolean {
    return lockByte(this.fd, PAIRS + pairNumber(pair))
  }

  close(): void {
    closeSync(this.fd)
  }
}

/** Lets `use` take numbers whose links are gone, so that nobody has them again before it is through. */
export const withLeases = <T>(use: (take: (slot: number) => boolean) => T): T => {
  const fd = openFile()
  try {
    return use((slot) => lockByte(fd, slot))
  } finally {
    closeSync(fd)
  }
}
