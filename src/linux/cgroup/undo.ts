import { readIfThere, tryReadFile, tryWriteFile } from './file.ts'

/** A write that puts back what was there before. */
export interface Undo {
  readonly path: string
  readonly value: string
}

/** What takes back a limit on one device, where the file had none before. */
const RESET: Readonly<Record<string, string>> = {
  'io.max': 'rbps=max wbps=max riops=max wiops=max',
  'io.latency': 'target=0',
  'io.weight': 'default',
  'io.bfq.weight': 'default',
}

/**
 * What to write to a control file to take back that `value` is written to it, from its text before; undefined where that
 * can't be told. A line for a device stands for itself, not for the whole file.
 */
export const undoValue = (file: string, value: string, before: string): string | undefined => {
  const device = /^\d+:\d+(?= )/.exec(value)?.[0]
  const lines = before.split('\n').filter((line) => line !== '')
  if (device !== undefined) {
    const line = lines.find((known) => known.startsWith(`${device} `))
    return line ?? `${device} ${RESET[file] ?? '0'}`
  }
  if (value.startsWith('default ')) return lines.find((line) => line.startsWith('default '))
  if (file === 'memory.oom_control') return /^oom_kill_disable (\d)$/m.exec(before)?.[1]
  // A weight for all devices, which is read as "default 100" and written as either.
  return lines.length > 1 ? lines.find((line) => line.startsWith('default ')) : (lines[0] ?? '')
}

/** Version 1 shows the devices that are allowed; what is excepted from all it doesn't show, so that stays. */
const deviceUndo = (directory: string): readonly Undo[] => {
  const lines = (readIfThere(`${directory}/devices.list`) ?? 'a').split('\n').filter((line) => line !== '')
  if (lines.some((line) => line.startsWith('a'))) return []
  const allow = lines.map((value): Undo => ({ path: `${directory}/devices.allow`, value }))
  return [...allow, { path: `${directory}/devices.deny`, value: 'a' }]
}

/** How to take back a write to come, in reverse order; nothing for what can't be told. */
export const undoOf = (directory: string, file: string, value: string): readonly Undo[] => {
  if (file === 'devices.allow' || file === 'devices.deny') return deviceUndo(directory)
  const path = `${directory}/${file}`
  const before = tryReadFile(path)
  const old = typeof before === 'string' ? undoValue(file, value, before) : undefined
  // One write(2) of no bytes changes nothing, a line without any does.
  return old === undefined ? [] : [{ path, value: old === '' ? '\n' : old }]
}

/** Takes writes back, the last first. What is refused now stays as it is: the error that led here says more. */
export const undoAll = (undos: readonly Undo[]): void => {
  for (const { path, value } of undos.toReversed()) tryWriteFile(path, value)
}
