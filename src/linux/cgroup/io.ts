import type { BlockDevice, IoDeviceLimits, IoLimits } from './limits.ts'
import { bfqWeight, ioWeightOfBlkio } from './weight.ts'
import type { AddWrite } from './write.ts'
import { checkAmount, checkRange, describeBytes, refuseBoth } from './write.ts'

const id = ({ major, minor }: BlockDevice): string => `${major}:${minor}`

const MAXIMA = [
  { name: 'readBytes', v1: 'read_bps', v2: 'rbps', verb: 'read', bytes: true },
  { name: 'writeBytes', v1: 'write_bps', v2: 'wbps', verb: 'write', bytes: true },
  { name: 'readOps', v1: 'read_iops', v2: 'riops', verb: 'read', bytes: false },
  { name: 'writeOps', v1: 'write_iops', v2: 'wiops', verb: 'write', bytes: false },
] as const

const checkIo = (io: IoLimits): void => {
  refuseBoth('io.weight', 'io.blkioWeight', io.weight, io.blkioWeight)
  if (io.weight !== undefined) checkRange('io.weight', io.weight, 1, 10_000)
  if (io.blkioWeight !== undefined) checkRange('io.blkioWeight', io.blkioWeight, 10, 1000)
  for (const device of io.devices ?? []) {
    checkRange('the major number of a device', device.major, 0, 2 ** 32 - 1)
    checkRange('the minor number of a device', device.minor, 0, 2 ** 32 - 1)
    if (device.weight !== undefined) checkRange(`the weight of ${id(device)}`, device.weight, 1, 10_000)
    for (const { name } of MAXIMA) {
      const amount = device[name]
      if (amount !== undefined) checkAmount(`${name} of ${id(device)}`, amount)
    }
  }
}

const describeMaxima = (device: IoDeviceLimits, maxima: readonly (typeof MAXIMA)[number][]): string => {
  const parts = maxima.map(({ name, verb, bytes }) => {
    const amount = device[name] ?? 'max'
    if (amount === 'max') return `${verb}s to no limit`
    return `${verb}s to ${bytes ? describeBytes(amount) : `${amount} operations`} a second`
  })
  return `limit ${parts.join(', ')} on device ${id(device)}`
}

/** Documentation/admin-guide/cgroup-v1/blkio-controller.rst. Weights are BFQ's; blkio.weight went with Linux 5.0. */
export const ioWritesV1 = (add: AddWrite, io: IoLimits): void => {
  checkIo(io)
  const weight = io.blkioWeight ?? (io.weight === undefined ? undefined : bfqWeight(io.weight))
  if (weight !== undefined) {
    add('blkio.bfq.weight', String(weight), `give block I/O a weight of ${weight}`, [
      { file: 'blkio.weight', value: String(Math.max(weight, 10)) },
    ])
  }
  for (const device of io.devices ?? []) {
    if (device.weight !== undefined) {
      const value = `${id(device)} ${bfqWeight(device.weight)}`
      add(
        'blkio.bfq.weight_device',
        value,
        `give block I/O on device ${id(device)} a weight of ${bfqWeight(device.weight)}`,
        [{ file: 'blkio.weight_device', value }],
      )
    }
    for (const maximum of MAXIMA) {
      const amount = device[maximum.name]
      if (amount === undefined) continue
      // Zero takes the limit away.
      const value = amount === 'max' ? 0 : amount
      add(`blkio.throttle.${maximum.v1}_device`, `${id(device)} ${value}`, describeMaxima(device, [maximum]))
    }
  }
}

/** Documentation/admin-guide/cgroup-v2.rst, "IO". Weights go to iocost and to BFQ, whichever the kernel has. */
export const ioWritesV2 = (add: AddWrite, io: IoLimits): void => {
  checkIo(io)
  const weight = io.weight ?? (io.blkioWeight === undefined ? undefined : ioWeightOfBlkio(io.blkioWeight))
  if (weight !== undefined) {
    const bfq = io.blkioWeight ?? bfqWeight(weight)
    add('io.weight', `default ${weight}`, `give block I/O a weight of ${weight}`, [
      { file: 'io.bfq.weight', value: String(bfq) },
    ])
  }
  for (const device of io.devices ?? []) {
    if (device.weight !== undefined) {
      add(
        'io.weight',
        `${id(device)} ${device.weight}`,
        `give block I/O on device ${id(device)} a weight of ${device.weight}`,
        [{ file: 'io.bfq.weight', value: `${id(device)} ${bfqWeight(device.weight)}` }],
      )
    }
    const maxima = MAXIMA.filter(({ name }) => device[name] !== undefined)
    if (maxima.length === 0) continue
    add(
      'io.max',
      [id(device), ...maxima.map(({ name, v2 }) => `${v2}=${device[name]}`)].join(' '),
      describeMaxima(device, maxima),
    )
  }
}
