import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { makeBundle, makeRoot } from './bundle.ts'
import { timeCommand } from './commands.ts'
import { STANDALONE, isHybrid, ownCgroup, withoutUnified } from './peers.ts'
import type { PartReport, Row, Target } from './report.ts'
import { milliseconds } from './report.ts'
import type { Measure } from './statistics.ts'
import { interleave, median, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'
import { findProgram } from './tools.ts'

export const OCI_HOW: string = `The life of a container by an OCI runtime, a command at a time: \`run\` of the static program, and \`create\`, \`start\`,
\`exec\` of that program, \`state\`, \`kill ID KILL\` and \`delete\` of one that sleeps (busybox). Whole commands, started by
\`spawn()\` with no pipes; the runtimes take turns, a whole life each. The bundle is what \`runc spec\` proposes, with no
terminal, a cgroup of its own and a root of a few files. What crun needs around it on a host with both versions of
cgroups is taken off its figures.`

const VERBS = ['run', 'create', 'start', 'exec', 'state', 'kill', 'delete'] as const
type Verb = (typeof VERBS)[number]

interface Runtime {
  readonly name: string
  readonly command: readonly string[]
  /** The same in what it needs around it on this host. */
  readonly wrap: (command: readonly string[]) => readonly string[]
}

const asItIs = (command: readonly string[]): readonly string[] => command

const findRuntimes = ({ tare, standalone }: Tools): { runtimes: readonly Runtime[]; skipped: readonly string[] } => {
  const runtimes: Runtime[] = [{ name: 'tare oci', command: [tare, 'oci'], wrap: asItIs }]
  const skipped: string[] = []
  if (existsSync(standalone))
    runtimes.push({ name: `tare oci${STANDALONE}`, command: [standalone, 'oci'], wrap: asItIs })
  else skipped.push('the standalone program is skipped: npm run build:standalone makes it')
  for (const [name, wrap] of [
    ['runc', asItIs],
    ['crun', withoutUnified],
  ] as const) {
    const path = findProgram(name)
    if (path === undefined) skipped.push(`${name} is skipped: it is not installed`)
    else runtimes.push({ name, command: [path], wrap })
  }
  return { runtimes, skipped }
}

/** Until a container's process has ended, which is no command's to wait for. */
const whenStopped = async (state: readonly string[]): Promise<void> => {
  const [program = '', ...args] = state
  for (let tries = 0; tries < 500; tries++) {
    if (/"status":\s*"stopped"/.test(spawnSync(program, args, { encoding: 'utf8' }).stdout)) return
    await wait(2)
  }
  throw new Error(`${state.join(' ')}: the container does not stop`)
}

/** One life of a container, and of one that only runs; nanoseconds of each command. */
const live = async ({ command, wrap }: Runtime, bundles: ReadonlyMap<string, string>, id: string) => {
  const took = new Map<Verb, number>()
  const timed = async (verb: Verb, ...args: readonly string[]): Promise<void> =>
    void took.set(verb, await timeCommand(wrap([...command, verb, ...args])))
  await timed('run', '--bundle', bundles.get('true') ?? '', `${id}-run`)
  await timed('create', '--bundle', bundles.get('sleep') ?? '', id)
  await timed('start', id)
  await timed('exec', id, '/true')
  await timed('state', id)
  await timed('kill', id, 'KILL')
  await whenStopped(wrap([...command, 'state', id]))
  await timed('delete', id)
  return took
}

const SELF = 'of which: unshare, sh and umount around crun'

/** What the standalone program is to take of what a peer takes. */
const targetOf = (verb: Verb, peer: string): Target | undefined => {
  if (verb === 'run') return { most: peer === 'runc' ? 0.4 : 1 }
  return peer === 'runc' ? { most: 0.7 } : undefined
}

/** (k) the commands of an OCI runtime. */
export const measureOci = async (tools: Tools): Promise<PartReport> => {
  const { runtimes, skipped } = findRuntimes(tools)
  const [spec, busybox] = ['runc', 'busybox'].map(findProgram)
  if (spec === undefined || busybox === undefined)
    return { rows: [], remarks: ['runc and a static busybox are needed: this part is skipped'] }
  const rootfs = makeRoot(tools.directory, tools.trueProgram)
  mkdirSync(join(rootfs, 'bin'), { recursive: true })
  copyFileSync(busybox, join(rootfs, 'bin', 'busybox'))
  const samples = new Map<string, number[]>()
  const measures: Measure[] = runtimes.map((runtime, index) => {
    const bundle = (name: string, args: readonly string[]): string =>
      makeBundle(join(tools.directory, `oci-${index}-${name}`), {
        runtime: spec,
        rootfs,
        cgroup: ownCgroup(`oci-${index}-${name}`),
        args,
      })
    const bundles = new Map([
      ['true', bundle('true', ['/true'])],
      ['sleep', bundle('sleep', ['/bin/busybox', 'sleep', '600'])],
    ])
    const sample = async (): Promise<number> => {
      const took = await live(runtime, bundles, ownCgroup(`oci-${index}`).slice(1))
      for (const [verb, time] of took) {
        const name = `${runtime.name} ${verb}`
        samples.set(name, [...(samples.get(name) ?? []), time])
      }
      return [...took.values()].reduce((sum, time) => sum + time, 0)
    }
    return { name: runtime.name, sample }
  })
  const wrapped = isHybrid() && runtimes.some(({ name }) => name === 'crun')
  if (wrapped) measures.push({ name: SELF, sample: () => timeCommand(withoutUnified([tools.trueProgram])) })
  const lives = await interleave(measures, tools.quick ? 3 : 30, 20)
  const overhead = wrapped ? median(samplesOf(lives, SELF)) : 0
  const of = (runtime: string, verb: Verb): readonly number[] =>
    samplesOf(samples, `${runtime} ${verb}`).map((time) => (runtime === 'crun' ? time - overhead : time))
  const mine = runtimes.filter(({ name }) => name.startsWith('tare'))
  const peers = runtimes.filter(({ name }) => !name.startsWith('tare'))
  const held = mine.at(-1)?.name
  return {
    rows: [
      ...VERBS.flatMap((verb) =>
        runtimes.map(({ name }): Row => ({ measure: `${name} ${verb}`, median: milliseconds(of(name, verb)) })),
      ),
      ...VERBS.flatMap((verb) =>
        mine.flatMap(({ name }) =>
          peers.map((peer): Row => {
            const target = name === held && name.endsWith(STANDALONE) ? targetOf(verb, peer.name) : undefined
            return {
              measure: `${name} ${verb} : ${peer.name}`,
              ratio: median(of(name, verb)) / median(of(peer.name, verb)),
              ...(target === undefined ? {} : { target }),
            }
          }),
        ),
      ),
    ],
    remarks: skipped,
  }
}
