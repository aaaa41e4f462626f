import type { Integer, Read } from './fields.ts'
import { arrayOf, Fields, refuse, uint16, uint32, uint64 } from './fields.ts'

/** At least one of the two weights. */
export interface LinuxWeightDevice {
  readonly major: number
  readonly minor: number
  readonly weight?: number | undefined
  readonly leafWeight?: number | undefined
}

/** Bytes or operations in a second. */
export interface LinuxThrottleDevice {
  readonly major: number
  readonly minor: number
  readonly rate: Integer
}

/** `linux.resources.blockIO`. */
export interface LinuxBlockIo {
  /** 10 to 1000; 0 is none. */
  readonly weight?: number | undefined
  /** Of an I/O scheduler (CFQ) that no kernel has since 5.0. */
  readonly leafWeight?: number | undefined
  readonly weightDevice?: readonly LinuxWeightDevice[] | undefined
  readonly throttleReadBpsDevice?: readonly LinuxThrottleDevice[] | undefined
  readonly throttleWriteBpsDevice?: readonly LinuxThrottleDevice[] | undefined
  readonly throttleReadIOPSDevice?: readonly LinuxThrottleDevice[] | undefined
  readonly throttleWriteIOPSDevice?: readonly LinuxThrottleDevice[] | undefined
}

const readWeightDevice: Read<LinuxWeightDevice> = (value, at) => {
  const fields = new Fields(value, at)
  const device: LinuxWeightDevice = {
    major: fields.required('major', uint32),
    minor: fields.required('minor', uint32),
    weight: fields.optional('weight', uint16),
    leafWeight: fields.optional('leafWeight', uint16),
  }
  if (device.weight === undefined && device.leafWeight === undefined) {
    refuse(at, 'it has neither a weight nor a leafWeight')
  }
  return device
}

const readThrottleDevice: Read<LinuxThrottleDevice> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    major: fields.required('major', uint32),
    minor: fields.required('minor', uint32),
    rate: fields.required('rate', uint64),
  }
}

/** Reads `linux.resources.blockIO`. */
export const readBlockIo: Read<LinuxBlockIo> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    weight: fields.optional('weight', uint16),
    leafWeight: fields.optional('leafWeight', uint16),
    weightDevice: fields.optional('weightDevice', arrayOf(readWeightDevice)),
    throttleReadBpsDevice: fields.optional('throttleReadBpsDevice', arrayOf(readThrottleDevice)),
    throttleWriteBpsDevice: fields.optional('throttleWriteBpsDevice', arrayOf(readThrottleDevice)),
    throttleReadIOPSDevice: fields.optional('throttleReadIOPSDevice', arrayOf(readThrottleDevice)),
    throttleWriteIOPSDevice: fields.optional('throttleWriteIOPSDevice', arrayOf(readThrottleDevice)),
  }
}
