import { readFileSync } from 'node:fs'
import { splitDevice } from '../../linux/device-number.ts'
import { knownFileStatus } from '../../linux/file-status.ts'
import { parseProcessStat } from '../../linux/process-stat.ts'
import { statusField } from '../../linux/process-status.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { Subject } from './subject.ts'
import { isShared } from './subject.ts'

/** Whether ioctl TIOCSTI, which types into a terminal, is let through to those without CAP_SYS_ADMIN (Linux 6.2). */
const mayType = (): boolean => {
  try {
    return readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'ascii').trim() !== '0'
  } catch {
    return true // an older kernel has no such switch
  }
}

/** Terminals among its first three descriptors that are of the host's own devpts, or its consoles. */
const hostTerminals = (subject: Subject): readonly string[] => {
  const devices = subject.host.mounts
    .filter(({ type }) => type === 'devpts' || type === 'devtmpfs')
    .map(({ major, minor }) => `${major}:${minor}`)
  return ['fd/0', 'fd/1', 'fd/2'].flatMap((link) => {
    const target = subject.files.link(link) ?? ''
    if (!/\/(?:pts\/\d+|tty\w*|console)$/.test(target)) return []
    const fd = subject.files.tryFollow(link)
    if (fd < 0) return []
    const { device } = knownFileStatus(fd)
    trySyscall('close', fd)
    return devices.includes(`${device.major}:${device.minor}`) ? [target] : []
  })
}

/** In /proc/PID/status the session's number in its own pid namespace is 0 if the leader is outside of it. */
const leaderIsOutside = (subject: Subject): boolean => {
  const line = statusField(subject.files.read('status'), 'NSsid')
  return line?.split('\t').at(-1) === '0'
}

/** Whether it has a terminal on which somebody of the host types. */
export const auditTerminal = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('terminal')
  const { tty } = parseProcessStat(subject.files.read('stat'))
  const terminals = [...new Set(hostTerminals(subject))]
  if (terminals.length === 0 && tty === 0) findings.holds('none', "no terminal of the host's")
  else if (terminals.length === 0) findings.holds('own', 'its terminal is one of its own')
  else {
    const session = tty !== 0 && (leaderIsOutside(subject) || isShared(subject, 'pid'))
    const { minor } = splitDevice(BigInt(tty))
    const shown = terminals.join(', ')
    if (session && mayType())
      findings.open('tiocsti', `${shown} is its controlling terminal, with a session of the host (minor ${minor})`, {
        severity: 'escape',
        why: 'It can type there (TIOCSTI), and a shell of the host that reads from it does as told.',
        remedy: 'Begin a session (setsid): tare run does; bwrap --new-session; or set dev.tty.legacy_tiocsti to 0.',
      })
    else
      findings.partial('terminal', `it has a terminal of the host: ${shown}`, {
        severity: 'note',
        why: session
          ? 'Typing into it is switched off (dev.tty.legacy_tiocsti); it can still write there.'
          : 'It can write there, what a person then believes to see; it is not its controlling terminal.',
        remedy: 'tare run -t and docker -t give it one of its own.',
      })
  }
  return findings.list
}
