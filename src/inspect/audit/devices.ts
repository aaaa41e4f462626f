import type { Finding, Severity } from './finding.ts'
import { Findings } from './finding.ts'
import type { DeviceNode } from './device-nodes.ts'
import { deviceNodes } from './device-nodes.ts'
import type { DeviceRules } from './device-rules.ts'
import { allows } from './device-rules.ts'
import { mayRead, mayWrite } from './permission.ts'
import type { Subject } from './subject.ts'
import { mayIn, isHostUser } from './subject.ts'

/** What can be done through devices of a sort. */
interface Sort {
  readonly id: string
  readonly severity: Severity
  readonly why: string
}

const sort = (id: string, severity: Severity, why: string): Sort => ({ id, severity, why })

const HARMLESS: readonly RegExp[] = [/^1:[35789]$/, /^5:[02]$/, /^13[6-9]:/, /^14[0-3]:/, /^10:183$/]

/** By the numbers of the device (Documentation/admin-guide/devices.txt), the first that fits. */
const SORTS: readonly (readonly [numbers: RegExp, sort: Sort])[] = [
  [/^1:[124]$/, sort('memory', 'escape', 'The memory and the ports of the machine are read and written through it.')],
  [/^1:11$/, sort('kernel-log', 'weakness', 'The log of the kernel is read and written through it.')],
  [/^21:/, sort('scsi', 'escape', 'Raw commands to disks, past their file systems.')],
  [/^10:236$/, sort('device-mapper', 'escape', 'Disks of the host are mapped anew through it.')],
  [/^10:196$/, sort('vfio', 'escape', 'Hardware is driven past the kernel.')],
  [/^10:237$/, sort('loop', 'weakness', 'Disks are made of files, whose file systems the kernel then trusts.')],
  [/^(?:5:1|4:\d+|7:\d+)$/, sort('console', 'weakness', 'The consoles of the machine: what is typed there, and what is shown.')],
  [/^(?:13:|10:223$)/, sort('input', 'weakness', 'Keys and pointers of the machine are read, or pressed, through it.')],
  [/^10:(?:232|238|241|242)$/, sort('virtual-machines', 'note', 'The part of the kernel that runs virtual machines is open to attack.')],
  [/^10:(?:229|200)$/, sort('fuse-tun', 'note', 'File systems and network interfaces of its own, if it has the capabilities.')],
  [/^(?:226|116|195|29|81|510|511):/, sort('graphics', 'note', 'Drivers of graphics, sound and video are open to attack.')],
] // prettier-ignore

const DISKS = sort('disks', 'escape', 'Its file systems are read and written past every permission.')
const OTHERS = sort('others', 'note', 'Their drivers are open to attack.')

const numbersOf = ({ status: { represents } }: DeviceNode): string => `${represents.major}:${represents.minor}`

const sortOf = (node: DeviceNode): Sort | undefined => {
  if (node.type === 'b') return DISKS
  const numbers = numbersOf(node)
  if (HARMLESS.some((pattern) => pattern.test(numbers))) return undefined
  return SORTS.find(([pattern]) => pattern.test(numbers))?.[1] ?? OTHERS
}

const REMEDY =
  'Leave out --device and --privileged; tare run gives null, zero, full, random, urandom, tty and terminals.'

const SHOWN = 6

const listed = (nodes: readonly DeviceNode[]): string => {
  const names = nodes.slice(0, SHOWN).map(({ name }) => `/dev/${name}`)
  return names.join(', ') + (nodes.length > SHOWN ? ` and ${nodes.length - SHOWN} more` : '')
}

const auditNodes = (subject: Subject, rules: DeviceRules, findings: Findings): void => {
  const found = deviceNodes(subject)
  if (found === undefined) {
    findings.unknown('nodes', 'its /dev is missing, a link, or served by a program')
    return
  }
  const usable = found.nodes.filter(
    (node) => node.works && (mayRead(subject, node.status) || mayWrite(subject, node.status)),
  )
  const groups = new Map<Sort, DeviceNode[]>()
  const barred: DeviceNode[] = []
  const undecided: DeviceNode[] = []
  for (const node of usable) {
    const kind = sortOf(node)
    if (kind === undefined) continue
    const allowed = allows(rules, node.type, node.status.represents)
    if (allowed === true) groups.set(kind, [...(groups.get(kind) ?? []), node])
    else if (allowed === false) barred.push(node)
    else undecided.push(node)
  }
  for (const [{ id, severity, why }, nodes] of groups)
    findings.open(id, listed(nodes), { severity, why, remedy: REMEDY })
  if (undecided.length > 0) findings.unknown('undecided', `whether it may open ${listed(undecided)}`)
  if (barred.length > 0) findings.holds('barred', `${listed(barred)}: there, but its device rules forbid them`)
  if (groups.size === 0 && undecided.length === 0 && barred.length === 0)
    findings.holds('nodes', `only harmless ones of ${found.nodes.length} in /dev`)
  if (!found.complete)
    findings.unknown(
      'more-nodes',
      'not all of its /dev was looked at: it is too large or too deep, or may not be listed',
    )
}

/** Which devices it can open, and whether it can make nodes for others. */
export const auditDevices = (subject: Subject, rules: DeviceRules): readonly Finding[] => {
  const findings = new Findings('devices')
  auditNodes(subject, rules, findings)
  switch (rules.kind) {
    case 'list':
      findings.holds('rules', `device rules allow ${rules.allowed.length} sorts`)
      break
    case 'program':
      findings.holds(
        'rules',
        `${rules.count} device program${rules.count === 1 ? '' : 's'} of its control group decide${rules.count === 1 ? 's' : ''}`,
      )
      findings.unknown('rules-content', 'what device programs allow: they are code, and are not asked')
      break
    case 'all':
      if (mayIn(subject, 'user', 'CAP_MKNOD') && isHostUser(subject))
        findings.open('rules', 'no device rules, and it may make device nodes', {
          severity: 'escape',
          why: 'It makes the node of a disk of the host, and reads and writes that past its file system.',
          remedy: 'tare run --cap-drop=MKNOD; docker: leave out --privileged.',
        })
      else findings.holds('rules', 'no device rules are needed: it can make no device nodes that work')
      break
    case 'unknown':
      findings.unknown('rules', rules.reason)
  }
  if (subject.mounts.some(({ type, root }) => type === 'devtmpfs' && root === '/'))
    findings.partial('devtmpfs', 'the /dev of the host is mounted', {
      severity: 'note',
      why: 'Every device that is plugged in appears there.',
      remedy: REMEDY,
    })
  return findings.list
}
