/** How far a bootstrap is. */
export interface BootstrapProgress {
  readonly phase: 'looking' | 'indexes' | 'downloading' | 'installing' | 'finishing' | 'copying'
  /** How much is done of how much: bytes while downloading, else packages; undefined where that isn't known. */
  readonly done?: number | undefined
  readonly total?: number | undefined
  /** In a second. */
  readonly rate?: number | undefined
  /** Milliseconds until the end of this phase, as it looks. */
  readonly left?: number | undefined
}

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }

const bytesOf = (number: string, unit: string): number => Number(number.replaceAll(',', '')) * (UNITS[unit] ?? 0)

const SIZE = String.raw`([\d.,]+) ([kMG]?B)`
const NEED = new RegExp(`^Need to get ${SIZE}(?:/${SIZE})? of archives`)
const GET = new RegExp(String.raw`^Get:\d+ .* \[${SIZE}\]$`)
const NEW = /, (\d+) newly installed,/
const INSTALLED = /^Setting up /
const FETCHED = /^Fetched /

/** Least time from which a rate says anything, in milliseconds. */
const SETTLED = 300

/**
 * Reads how far apt and dpkg are from what they print. Packages are set up by several calls of theirs: each says how
 * many more there are to be.
 */
export class ProgressReader {
  readonly #now: () => number
  #phase: BootstrapProgress['phase'] = 'indexes'
  #done = 0
  #total = 0
  /** Packages that were announced, and those that are set up: over all calls. */
  #packages = 0
  #ready = 0
  #began: number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#began = now()
  }

  /** Takes a line. True if something has changed by it. */
  take(line: string): boolean {
    const need = NEED.exec(line)
    if (need !== null) {
      this.#enter('downloading', bytesOf(need[1] ?? '', need[2] ?? ''))
      return true
    }
    const count = NEW.exec(line)?.[1]
    if (count !== undefined) this.#packages = this.#ready + Number(count)
    const get = GET.exec(line)
    if (get !== null && this.#phase === 'downloading') {
      this.#done = Math.min(this.#total, this.#done + bytesOf(get[1] ?? '', get[2] ?? ''))
      return true
    }
    if (FETCHED.test(line) && this.#phase === 'downloading') {
      this.#enter('installing', this.#packages)
      this.#done = this.#ready
      return true
    }
    if (INSTALLED.test(line)) {
      if (this.#phase !== 'installing') this.#enter('installing', this.#packages)
      this.#ready++
      this.#done = this.#ready
      this.#total = Math.max(this.#packages, this.#ready)
      return true
    }
    return false
  }

  get progress(): BootstrapProgress {
    if (this.#total === 0) return { phase: this.#phase }
    const took = this.#now() - this.#began
    const [phase, done, total] = [this.#phase, this.#done, this.#total]
    if (took < SETTLED || done === 0) return { phase, done, total }
    const rate = (done / took) * 1000
    return { phase, done, total, rate, left: ((total - done) / rate) * 1000 }
  }

  #enter(phase: BootstrapProgress['phase'], total: number): void {
    this.#phase = phase
    this.#total = total
    this.#done = 0
    this.#began = this.#now()
  }
}
