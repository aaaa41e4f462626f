import { spawn } from 'node:child_process'
import { STANDALONE, findPeers, isHybrid, withoutUnified } from './peers.ts'
import type { PartReport, Row } from './report.ts'
import { milliseconds, ratioOf } from './report.ts'
import { interleave, median, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'

/** Nanoseconds from the start of a command to its end, which is to be with one of these statuses. */
export const timeCommand = (
  [program = '', ...args]: readonly string[],
  statuses: readonly number[] = [0],
): Promise<number> =>
  new Promise((resolve, reject) => {
    const began = process.hrtime.bigint()
    const child = spawn(program, args, { stdio: 'ignore' })
    child.once('error', reject)
    child.once('exit', (code) => {
      if (code !== null && statuses.includes(code)) resolve(Number(process.hrtime.bigint() - began))
      else reject(new Error(`${program} ${args.join(' ')}: it exits with ${code}`))
    })
  })

const NODE = 'node itself, doing nothing'
const WRAPPER = 'of which: unshare, sh and umount around crun'

export const COMMANDS_HOW = `Whole commands, started by \`spawn()\` with no pipes and timed to their exit, in turn, each running the same static
program. crun and runc run the bundle that \`runc spec\` proposes (no user namespace, no seccomp filter), with no terminal
and a root of a few files; bwrap has \`--unshare-all --new-session --die-with-parent --cap-drop ALL --ro-bind ROOT /
--proc /proc --dev /dev --tmpfs /tmp\`; systemd-nspawn \`--register=no --keep-unit --private-network -D ROOT\`. \`tare run\`
is run by Node, whose own start is in it and is given beside, and as the standalone program (docs/standalone.md).`

/** What `tare oci run` of the standalone program may take, against each. */
const OCI_TARGETS = [
  ['runc run', 0.4],
  ['crun run', 1],
] as const

/** (d) whole commands. */
export const measureCommands = async (tools: Tools): Promise<PartReport> => {
  const { peers, skipped } = findPeers(tools)
  const wrapped = isHybrid() && peers.some(({ name }) => name === 'crun run')
  const measures = [
    ...peers.map(({ name, command }) => ({ name, sample: () => timeCommand(command) })),
    { name: NODE, sample: () => timeCommand([process.execPath, '-e', '0']) },
    ...(wrapped ? [{ name: WRAPPER, sample: () => timeCommand(withoutUnified([tools.trueProgram])) }] : []),
  ]
  const samples = await interleave(measures, tools.quick ? 5 : 60, 5)
  const of = (name: string): readonly number[] => samplesOf(samples, name)
  const has = (name: string): boolean => samples.has(name)
  // What the wrapper takes is no fault of crun's.
  const overhead = wrapped ? median(of(WRAPPER)) : 0
  const net = (name: string): readonly number[] =>
    name === 'crun run' ? of(name).map((time) => time - overhead) : of(name)
  const ratios = (mine: string): readonly Row[] =>
    has(mine)
      ? peers
          .filter(({ name }) => !name.startsWith('tare'))
          .map(({ name }): Row => {
            const most =
              mine === `tare oci run${STANDALONE}` ? OCI_TARGETS.find(([other]) => other === name)?.[1] : undefined
            return {
              measure: `${mine} : ${name}`,
              ratio: ratioOf(of(mine), net(name)),
              ...(most === undefined ? {} : { target: { most } }),
            }
          })
      : []
  return {
    rows: [
      ...measures.map(({ name }) => ({ measure: name, median: milliseconds(of(name)) })),
      ...['tare run', 'tare oci run'].flatMap((name) => [...ratios(name), ...ratios(`${name}${STANDALONE}`)]),
    ],
    remarks: [
      ...skipped,
      ...(wrapped
        ? [
            'crun refuses a host with both versions of cgroups, so it runs where the second is unmounted; the ratios are without what that takes.',
          ]
        : []),
    ],
  }
}
