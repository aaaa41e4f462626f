import type { CgroupLayout } from '../../linux/cgroup/layout.ts'
import { parseHardLimits } from '../../linux/process-limits.ts'
import { formatBytes } from '../../runtime/units.ts'
import type { EffectiveLimit } from './effective-limits.ts'
import { effectiveLimits } from './effective-limits.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { Subject } from './subject.ts'

/** One resource, in words. */
interface Resource {
  readonly id: string
  readonly format: (value: number) => string
  readonly none: string
  readonly why: string
  readonly option: string
}

const MEMORY: Resource = {
  id: 'memory',
  format: (bytes) => `at most ${formatBytes(bytes)} of memory`,
  none: 'no limit on memory',
  why: 'It can use up the memory of the host, whose other programs are then killed.',
  option: '--memory=512m',
}

const PIDS: Resource = {
  id: 'pids',
  format: (count) => `at most ${count} processes`,
  none: 'no limit on processes',
  why: 'It can start so many processes that the host can start none (a fork bomb).',
  option: '--pids-limit=100',
}

const CPUS: Resource = {
  id: 'cpus',
  format: (cpus) => `at most ${Number(cpus.toFixed(2))} processors`,
  none: 'no limit on processor time',
  why: 'It can use all processors; others get their share, but no more.',
  option: '--cpus=1',
}

const judge = (
  findings: Findings,
  resource: Resource,
  limit: EffectiveLimit | 'unknown',
  severity: 'weakness' | 'note',
) => {
  if (limit === 'unknown')
    findings.unknown(resource.id, `${resource.none.replace('no ', 'whether there is a ')}: its group is out of sight`)
  else if (limit.value !== undefined) findings.holds(resource.id, resource.format(limit.value))
  else
    findings.open(resource.id, resource.none, {
      severity,
      why: resource.why,
      remedy: `tare run ${resource.option}; docker: ${resource.option}.`,
    })
}

const HARD = [
  ['RLIMIT_NPROC', 'processes of a user'],
  ['RLIMIT_NOFILE', 'open files'],
  ['RLIMIT_MEMLOCK', 'bytes of locked memory'],
  ['RLIMIT_CORE', 'bytes of a core dump'],
] as const

/** Limits of each process (getrlimit(2)): they add to those of the group, and can't stand for them. */
const auditHardLimits = (subject: Subject, findings: Findings): void => {
  const text = subject.files.readIfThere('limits')
  if (text === undefined) return
  const limits = parseHardLimits(text)
  const known = HARD.filter(([name]) => name in limits)
  const set = known.flatMap(([name, what]) => (limits[name] === undefined ? [] : [`${limits[name]} ${what}`]))
  const none = known.flatMap(([name, what]) => (limits[name] === undefined ? [what] : []))
  if (set.length > 0) findings.holds('rlimits', `each process: at most ${set.join(', ')}`)
  if (none.length > 0)
    findings.open('no-rlimits', `each process: no limit on ${none.join(', ')}`, {
      severity: 'note',
      why: 'What the group allows, one process can take.',
      remedy: 'tare run --ulimit=core=0; docker: --ulimit.',
    })
}

/** What its control groups, and its own resource limits, keep it from using up. */
export const auditLimits = (subject: Subject, layout: CgroupLayout): readonly Finding[] => {
  const findings = new Findings('limits')
  const { memory, pids, cpus } = effectiveLimits(subject, layout)
  judge(findings, MEMORY, memory, 'weakness')
  judge(findings, PIDS, pids, 'weakness')
  judge(findings, CPUS, cpus, 'note')
  auditHardLimits(subject, findings)
  const adjustment = Number(subject.files.readIfThere('oom_score_adj') ?? 0)
  if (adjustment < 0)
    findings.partial('oom', `the kernel spares it when memory is short (oom_score_adj ${adjustment})`, {
      severity: 'note',
      why: 'Other programs are killed before it.',
      remedy: 'docker: leave out --oom-score-adj.',
    })
  return findings.list
}
