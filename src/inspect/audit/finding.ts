/** What is looked at, in the order in which it is shown. */
export const WALLS = [
  'namespaces',
  'ids',
  'capabilities',
  'privileges',
  'seccomp',
  'root',
  'files',
  'kernel',
  'devices',
  'sockets',
  'descriptors',
  'terminal',
  'limits',
  'modules',
] as const

export type Wall = (typeof WALLS)[number]

/** What each wall is called, and what it keeps apart. */
export const WALL_TITLES: Readonly<Record<Wall, string>> = {
  namespaces: 'its own view of the system',
  ids: 'whose ids it has on the host',
  capabilities: 'the powers of root that it holds',
  privileges: 'whether it can gain more',
  seccomp: 'which system calls it may make',
  root: 'its root directory',
  files: 'files of the host in sight',
  kernel: "the kernel's files, and what they set",
  devices: 'devices in reach',
  sockets: 'services of the host in reach',
  descriptors: 'what it was left open',
  terminal: "the host's terminal",
  limits: 'how much it can use',
  modules: 'mandatory access control',
}

/**
 * What an opening comes to.
 * - `escape`: as it stands, it leads to power over the host, or to files that are not the container's.
 * - `weakness`: another fault is needed to get out, or it can read, disturb or use up what belongs to the host.
 * - `note`: worth knowing, and no more.
 */
export type Severity = 'escape' | 'weakness' | 'note'

/** One thing that was looked at in the kernel, and how it was found. */
export interface Finding {
  /** Stable name for programs: `shared-net`. */
  readonly id: string
  readonly wall: Wall
  /** `unknown`: can't be seen from outside, or may not be seen by this user; `found` says why. */
  readonly state: 'holds' | 'open' | 'partial' | 'unknown'
  /** Of what is open, or open in part. */
  readonly severity: Severity | undefined
  /** What was found: a few words without a full stop. */
  readonly found: string
  /** Why it matters, and how it leads out: one sentence. */
  readonly why: string | undefined
  /** What closes it: one sentence, with options of `tare run` and docker. */
  readonly remedy: string | undefined
}

/** What {@link open} and {@link partial} say besides what was found. */
interface Opening {
  readonly severity: Severity
  readonly why: string
  readonly remedy: string
}

const NOTHING = { severity: undefined, why: undefined, remedy: undefined }

/** Findings of one wall. */
export class Findings {
  readonly wall: Wall
  readonly list: Finding[] = []

  constructor(wall: Wall) {
    this.wall = wall
  }

  holds(id: string, found: string): void {
    this.list.push({ id, wall: this.wall, state: 'holds', found, ...NOTHING })
  }

  open(id: string, found: string, opening: Opening): void {
    this.list.push({ id, wall: this.wall, state: 'open', found, ...opening })
  }

  partial(id: string, found: string, opening: Opening): void {
    this.list.push({ id, wall: this.wall, state: 'partial', found, ...opening })
  }

  unknown(id: string, found: string): void {
    this.list.push({ id, wall: this.wall, state: 'unknown', found, ...NOTHING })
  }
}

/** All in all: nothing open; something that weakens it; or a way out. */
export type Verdict = 'contained' | 'gaps' | 'not contained'

/** The verdict over some findings: the gravest decides, notes and what is unknown don't count. */
export const verdictOf = (findings: readonly Finding[]): Verdict => {
  const has = (severity: Severity): boolean => findings.some((finding) => finding.severity === severity)
  return has('escape') ? 'not contained' : has('weakness') ? 'gaps' : 'contained'
}
