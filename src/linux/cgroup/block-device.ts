import { readFileSync, statSync } from 'node:fs'
import { splitDevice } from '../device-number.ts'
import { InputError } from '../error.ts'
import { readIfThere } from './file.ts'
import type { BlockDevice } from './limits.ts'

/** `254:0` in a line of its own, as sysfs has it. */
const parseNumbers = (text: string | undefined): BlockDevice | undefined => {
  const match = /^(\d+):(\d+)$/.exec(text?.trim() ?? '')
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) }
}

/**
 * The whole disk to set block I/O limits on: for a device file the device itself, for another file or a directory the
 * one that it is stored on; for a partition the disk that it is a part of. Throws {@link InputError} if the file is on
 * no block device (tmpfs, overlay, a network).
 */
export const blockDeviceOf = (path: string): BlockDevice => {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined)
    throw new InputError({ operation: 'find the block device of', target: path, reason: 'there is no such file' })
  const device = splitDevice(stat.isBlockDevice() ? stat.rdev : stat.dev)
  const sysfs = `/sys/dev/block/${device.major}:${device.minor}`
  if (readIfThere(`${sysfs}/uevent`) === undefined) {
    throw new InputError({
      operation: 'find the block device of',
      target: path,
      reason: `its file system is on no block device (${device.major}:${device.minor})`,
      hint: 'Name the disk itself, such as /dev/sda.',
    })
  }
  if (readIfThere(`${sysfs}/partition`) === undefined) return device
  return parseNumbers(readFileSync(`${sysfs}/../dev`, 'utf8')) ?? device
}
