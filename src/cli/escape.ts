/** ^], as in telnet and systemd-nspawn. */
const KEY = 0x1d
const TIMES = 3
/** Milliseconds. */
const WITHIN = 1000

/** Finds out whether ^] was typed three times within a second, with nothing between, in what comes byte by byte. */
export class EscapeKey {
  #typed: readonly number[] = []

  /** Whether that is so with these bytes, which came at `now` (in milliseconds). */
  typedIn(bytes: Uint8Array, now: number): boolean {
    for (const byte of bytes) {
      this.#typed = byte === KEY ? [...this.#typed.slice(1 - TIMES), now] : []
      const [first] = this.#typed
      if (this.#typed.length === TIMES && first !== undefined && now - first <= WITHIN) return true
    }
    return false
  }
}
