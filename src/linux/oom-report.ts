/** A process that the kernel killed because memory ran out. */
export interface OomVictim {
  /** As the host numbers it. */
  readonly pid: number
  /** Its command name, as it chose it itself: make it printable before it is shown. */
  readonly name: string
  readonly uid: number
  /** Bytes of memory of its own that it had in use. */
  readonly anon: number
  /** The group whose limit was reached; undefined if the host itself had no memory left. */
  readonly limitOf: string | undefined
  /** The group that it was in; undefined if the kernel left that line out, which it does when there are many. */
  readonly group: string | undefined
}

const REPORT =
  /^oom-kill:constraint=\w+,.*?(?:,oom_memcg=(?<limitOf>.*?)|,global_oom),task_memcg=(?<group>.*?),task=(?<name>.*),pid=(?<pid>\d+),uid=(?<uid>\d+)$/

const KILLED =
  /: Killed process (?<pid>\d+) \((?<name>.*)\) total-vm:\d+kB, anon-rss:(?<anon>\d+)kB, .*?UID:(?<uid>\d+) /

const WHOLE_GROUP = /^Tasks in (?<group>.*) are going to be killed due to memory\.oom\.group set$/

interface Report {
  readonly pid: number
  readonly limitOf: string | undefined
  readonly group: string
}

/**
 * Finds killed processes in the kernel's messages (mm/oom_kill.c). Of each there is a line with its groups, unless there
 * were too many lately, and one with its size.
 */
export class OomReader {
  #report: Report | undefined
  #wholeGroup: string | undefined

  /** A process that was killed, if this message completes what is known of one. */
  take(message: string): OomVictim | undefined {
    const whole = WHOLE_GROUP.exec(message)?.groups
    if (whole !== undefined) {
      this.#wholeGroup = whole['group']
      return undefined
    }
    const report = REPORT.exec(message)?.groups
    if (report !== undefined) {
      this.#wholeGroup = undefined
      this.#report = { pid: Number(report['pid']), limitOf: report['limitOf'], group: report['group'] ?? '' }
      return undefined
    }
    const killed = KILLED.exec(message)?.groups
    if (killed === undefined) return undefined
    const pid = Number(killed['pid'])
    // Where the whole group goes, the process that was chosen first is among those that follow, once more.
    if (this.#wholeGroup !== undefined && this.#report?.pid === pid) return undefined
    const known = this.#report?.pid === pid ? this.#report : undefined
    return {
      pid,
      name: killed['name'] ?? '',
      uid: Number(killed['uid']),
      anon: Number(killed['anon']) * 1024,
      limitOf: known?.limitOf ?? this.#wholeGroup,
      group: known?.group ?? this.#wholeGroup,
    }
  }
}
