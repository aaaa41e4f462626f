import {
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
} from '../../linux/mount-flags.ts'
import type { Named } from '../../plan/step.ts'

const NAMES: readonly (readonly [number, string])[] = [
  [MOUNT_ATTR_RDONLY, 'MOUNT_ATTR_RDONLY'],
  [MOUNT_ATTR_NOSUID, 'MOUNT_ATTR_NOSUID'],
  [MOUNT_ATTR_NODEV, 'MOUNT_ATTR_NODEV'],
  [MOUNT_ATTR_NOEXEC, 'MOUNT_ATTR_NOEXEC'],
  [MOUNT_ATTR_NOATIME, 'MOUNT_ATTR_NOATIME'],
  [MOUNT_ATTR_STRICTATIME, 'MOUNT_ATTR_STRICTATIME'],
  [MOUNT_ATTR_NODIRATIME, 'MOUNT_ATTR_NODIRATIME'],
  [MOUNT_ATTR_NOSYMFOLLOW, 'MOUNT_ATTR_NOSYMFOLLOW'],
  [MOUNT_ATTR_IDMAP, 'MOUNT_ATTR_IDMAP'],
]

/** `MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID`, or `0`. */
export const mountAttributeNames = (attributes: number): string => {
  const names = NAMES.filter(([bit]) => attributes & bit).map(([, name]) => name)
  return names.length === 0 ? '0' : names.join('|')
}

/** Attributes of a mount as an operand; their names are put together only when they are shown. */
export class MountAttributes implements Named {
  readonly kind = 'named'
  readonly value: number

  constructor(value: number) {
    this.value = value
  }

  get text(): string {
    return mountAttributeNames(this.value)
  }
}
