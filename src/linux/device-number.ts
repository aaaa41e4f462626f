/** The two numbers of a device. */
export interface DeviceNumbers {
  readonly major: number
  readonly minor: number
}

/** Takes apart what stat(2) says of a device as the C library gives it (makedev(3)): the upper bits are apart from the lower. */
export const splitDevice = (device: bigint): DeviceNumbers => ({
  major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
  minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
})

/** The kernel's own form for mknod(2): 12 bits of the major and 20 of the minor number. */
export const kernelDevice = ({ major, minor }: DeviceNumbers): number =>
  ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0
