import { closeSync, constants, openSync } from 'node:fs'
import { InputError, TareError, formatBytes } from '../index.ts'
import type { BlockDevice, Cgroup } from '../linux/index.ts'
import { blockDeviceOf } from '../linux/index.ts'
import type { Chapter, Phase, Stage } from './cgroup-demo-stage.ts'
import { Skipped } from './cgroup-demo-stage.ts'

const MIB = 2 ** 20
const CONTROLLERS = ['io']
const RATE = 2 * MIB

/** Writes the same few MiB again and again, past the page cache; it ends by itself when it has written so many. */
const writer = (file: string, mebibytes: number): string =>
  `i=0; while [ $i -lt ${mebibytes / 4} ]; do dd if=/dev/zero of=${file} bs=64k count=64 oflag=direct conv=notrunc; i=$((i+1)); done`

/** Makes the file as the writer will open it. What the file system can't do ends the chapter. */
const tryDirect = (file: string): void => {
  try {
    closeSync(openSync(file, constants.O_CREAT | constants.O_WRONLY | constants.O_DIRECT, 0o600))
  } catch (error) {
    throw new Skipped(`the file system of ${file} has no direct I/O: ${error instanceof Error ? error.message : error}`)
  }
}

const deviceOf = (directory: string): BlockDevice => {
  try {
    return blockDeviceOf(directory)
  } catch (error) {
    if (error instanceof InputError) throw new Skipped(error.message.split('\n', 1)[0])
    throw error
  }
}

const limit = (group: Cgroup, device: BlockDevice): void => {
  try {
    group.set({ io: { devices: [{ ...device, writeBytes: RATE }] } })
  } catch (error) {
    if (error instanceof TareError) throw new Skipped(error.message.split('\n', 1)[0])
    throw error
  }
}

/** `whole`: until all is written. */
const measure = async (
  stage: Stage,
  group: Cgroup,
  phase: Pick<Phase, 'name' | 'limit'>,
  script: string,
  whole: boolean,
) => {
  const written = (): { readonly bytes: number; readonly operations: number } => ({
    bytes: group.stats().io?.reduce((sum, { writeBytes }) => sum + writeBytes, 0) ?? 0,
    operations: group.stats().io?.reduce((sum, { writeOps }) => sum + writeOps, 0) ?? 0,
  })
  const load = stage.load(group, script)
  const before = written()
  const began = performance.now()
  const values = await stage.watch(group, ['io'], ({ io }) => io?.writeBytes, whole ? load : undefined)
  const seconds = (performance.now() - began) / 1000
  const after = written()
  load.kill('SIGKILL')
  await group.kill()
  const bytes = after.bytes - before.bytes
  return {
    ...phase,
    values,
    figures: { bytes, operations: after.operations - before.operations, bytesPerSecond: bytes / seconds },
  }
}

const perSecond = (value: number): string => `${formatBytes(Math.round(value))}/s`

export const DISK: Chapter = {
  id: 'disk',
  title: 'Block I/O: a writer slowed down',
  text: 'Limits on block I/O are for one disk: here the one that the scratch directory is on. The writer writes past the page cache (direct I/O), since version 1 can not tell whose the pages are that are written back later.',
  commands: [
    'tare cgroup create /demo',
    'tare cgroup run /demo -- dd if=/dev/zero of=/var/tmp/file bs=64k oflag=direct',
    'tare cgroup set /demo write-bps=/var/tmp:2MiB',
  ],
  controllers: CONTROLLERS,
  run: async (stage) => {
    const device = deviceOf(stage.scratch)
    const file = stage.file('disk')
    tryDirect(file)
    const group = stage.group('writer', CONTROLLERS)
    limit(group, device)
    group.set({ io: { devices: [{ ...device, writeBytes: 'max' }] } })
    const free = await measure(stage, group, { name: 'no limit' }, writer(file, stage.quick ? 32 : 256), true)
    limit(group, device)
    const held = await measure(stage, group, { name: 'write-bps=2MiB', limit: RATE }, writer(file, 32), false)
    return {
      phases: [free, held],
      format: perSecond,
      findings: [
        `On device ${device.major}:${device.minor} it wrote ${perSecond(free.figures.bytesPerSecond)} without a limit, and ${perSecond(held.figures.bytesPerSecond)} with write-bps=2MiB.`,
      ],
    }
  },
}
