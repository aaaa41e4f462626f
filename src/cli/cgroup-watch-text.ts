import type { CgroupEvent, CgroupEventSource } from '../linux/index.ts'
import { formatBytes } from '../index.ts'
import type { Style } from './terminal.ts'
import { padTo, printable } from './text.ts'

type EventOf<Kind extends CgroupEvent['kind']> = Extract<CgroupEvent, { readonly kind: Kind }>

/** What the kernel's counters count (cgroup-v2.rst, memory.rst). */
const COUNTERS: Readonly<Record<string, string>> = {
  'memory.events low': 'memory was reclaimed below memory.low',
  'memory.events high': 'memory went above memory.high: slowed down',
  'memory.events max': 'memory reached its limit',
  'memory.events oom': 'memory ran out',
  'memory.events oom_kill': 'a process was killed for want of memory',
  'memory.events oom_group_kill': 'the whole group was killed for want of memory',
  'memory.events sock_throttled': 'a socket was slowed down for want of memory',
  'memory.swap.events high': 'swap went above its high mark',
  'memory.swap.events max': 'swap reached its limit',
  'memory.swap.events fail': 'there was no swap to be had',
  'memory.oom_control oom_kill': 'a process was killed for want of memory',
  'memory.failcnt failcnt': 'memory reached its limit',
  'memory.memsw.failcnt failcnt': 'memory and swap reached their limit',
  'pids.events max': 'a fork was refused: as many processes as may be',
}

const times = (count: number): string => (count === 1 ? '' : `, ${count} times`)

const counterText = ({ file, counter, count, total }: EventOf<'counter'>): string => {
  const name = counter === 'failcnt' ? file : `${file} ${counter}`
  const text = COUNTERS[`${file} ${counter}`] ?? `${counter} was counted`
  return `${text}${times(count)} (${name}: ${total})`
}

const killedText = ({ pid, name, uid, anon, group, limitOf }: EventOf<'killed'>): string => {
  const whose = limitOf === undefined ? 'the host had no memory left' : `${printable(limitOf)} had no memory left`
  const where = group === undefined || group === limitOf ? '' : `, in ${printable(group)}`
  return `process ${pid} (${printable(name)}) of user ${uid}${where}, with ${formatBytes(anon)}: ${whose}`
}

const pressureText = ({ resource, line, stall, window, above, avg10 }: EventOf<'pressure'>): string => {
  const who = line === 'some' ? 'processes wait' : 'all processes wait'
  const share = `${Math.round((100 * stall) / window)}%`
  const now = avg10 === undefined ? '' : ` (${avg10}% of the last 10 s)`
  return above ? `${who} for ${resource} more than ${share} of the time${now}` : `no longer so for ${resource}${now}`
}

/** What it is about, in words, and how bad it is. */
const describe = (
  event: CgroupEvent,
  group: string,
): readonly [about: string, text: string, colour?: 'red' | 'yellow'] => {
  switch (event.kind) {
    case 'watching': {
      const state = event.populated ? 'it has processes' : 'it has no processes'
      return ['watching', `${printable(group)}: ${state}${event.frozen ? ', and is frozen' : ''}`]
    }
    case 'counter': {
      const about = event.file.startsWith('memory.') ? 'memory' : event.file.replace(/\.events$/, '')
      return [about, counterText(event), event.counter.includes('kill') ? 'red' : 'yellow']
    }
    case 'killed':
      return ['killed', killedText(event), 'red']
    case 'populated':
      return ['processes', event.populated ? 'there are some now' : 'there are none left']
    case 'frozen':
      return ['freezer', event.frozen ? 'frozen: no process runs' : 'thawed']
    case 'oom':
      return ['memory', 'memory ran out', 'red']
    case 'level': {
      const count = event.count === 1 ? '' : ` (${event.count} notices)`
      return ['memory', `${event.level} pressure: memory is being reclaimed${count}`, 'yellow']
    }
    case 'threshold': {
      const { above, threshold, current } = event
      return ['memory', `${above ? 'above' : 'below'} ${formatBytes(threshold)}: ${formatBytes(current)} in use`]
    }
    case 'pressure':
      return event.above ? ['pressure', pressureText(event), 'yellow'] : ['pressure', pressureText(event)]
    case 'removed':
      return ['removed', 'the group is gone']
  }
}

const ABOUT_WIDTH = 9

/** An event as a line: when, about what, and what. */
export const eventLine = (event: CgroupEvent, group: string, style: Style): string => {
  const at = new Date(event.time)
  const clock = `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`
  const [about, text, colour] = describe(event, group)
  const padded = padTo(about, ABOUT_WIDTH)
  return `${style.dim(clock)}  ${colour === undefined ? padded : style[colour](padded)}  ${text}`
}

const SOURCES: Readonly<Record<CgroupEventSource, string>> = {
  counters: 'counters and the end of the group are',
  killed: 'who is killed is',
  memory: 'running out of memory, its pressure and thresholds are',
  pressure: 'pressure is',
}

/** What can't be watched, a line for each. */
export const missingLines = ({ missing }: EventOf<'watching'>): readonly string[] =>
  missing.map(({ source, reason }) => `tare: ${SOURCES[source]} not watched: ${printable(reason)}`)
