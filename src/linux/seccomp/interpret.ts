import { InputError } from '../error.ts'
import { INSTRUCTION_SIZE, SECCOMP_DATA } from './bpf.ts'

/** A system call as a filter sees it: struct seccomp_data (linux/seccomp.h). */
export interface SeccompData {
  /** AUDIT_ARCH_*. */
  readonly arch: number
  readonly nr: number
  readonly instructionPointer?: bigint
  /** Up to six, unsigned 64 bits; the others are 0. */
  readonly args?: readonly (bigint | number)[]
}

const LITTLE_ENDIAN = 0x4000_0000

/** The words of seccomp_data. The halves of what has 64 bits stand in the order of the architecture's own bytes. */
const wordsOf = ({ arch, nr, instructionPointer = 0n, args = [] }: SeccompData): Uint32Array => {
  const words = new Uint32Array(SECCOMP_DATA.size / 4)
  words[SECCOMP_DATA.nr / 4] = nr
  words[SECCOMP_DATA.arch / 4] = arch
  const [high, low] = (arch & LITTLE_ENDIAN) === 0 ? [0, 1] : [1, 0]
  for (const [i, value] of [instructionPointer, ...args.slice(0, 6)].entries()) {
    const wide = BigInt.asUintN(64, BigInt(value))
    words[2 + 2 * i + high] = Number(wide >> 32n)
    words[2 + 2 * i + low] = Number(wide & 0xffff_ffffn)
  }
  return words
}

const fault = (at: number, reason: string): never => {
  throw new InputError({ operation: 'interpret', target: `instruction ${at} of the filter`, reason })
}

/** A op operand, for the codes of BPF_ALU. */
const calculate = (op: number, a: number, operand: number, at: number): number => {
  switch (op) {
    case 0x00:
      return a + operand
    case 0x10:
      return a - operand
    case 0x20:
      return Math.imul(a, operand)
    case 0x30:
      return operand === 0 ? fault(at, 'it divides by 0') : Math.floor(a / operand)
    case 0x40:
      return a | operand
    case 0x50:
      return a & operand
    case 0x60:
      return operand > 31 ? 0 : a << operand
    case 0x70:
      return operand > 31 ? 0 : a >>> operand
    case 0x80:
      return -a
    case 0xa0:
      return a ^ operand
    default:
      return fault(at, `no arithmetic 0x${op.toString(16)} in a filter`)
  }
}

/** Whether A stands to the operand as the codes of BPF_JMP say. */
const compare = (op: number, a: number, operand: number, at: number): boolean => {
  switch (op) {
    case 0x10:
      return a === operand
    case 0x20:
      return a > operand
    case 0x30:
      return a >= operand
    case 0x40:
      return (a & operand) !== 0
    default:
      return fault(at, `no jump 0x${op.toString(16)} in a filter`)
  }
}

/**
 * Runs a filter over a call as the kernel would and gives what it returns, for the instructions that seccomp(2)
 * admits. The program is struct sock_filter in little-endian order. Throws {@link InputError} where the kernel would
 * have refused the program: an unknown instruction, a jump past the end, a word outside seccomp_data.
 */
export const interpretSeccomp = (program: Uint8Array, data: SeccompData): number => {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const words = wordsOf(data)
  const scratch = new Uint32Array(16)
  let a = 0
  let x = 0
  const word = (offset: number, at: number): number =>
    offset % 4 === 0 ? (words[offset / 4] ?? fault(at, `no word at ${offset}`)) : fault(at, `no word at ${offset}`)
  for (let at = 0; (at + 1) * INSTRUCTION_SIZE <= program.length; at += 1) {
    const code = view.getUint16(at * INSTRUCTION_SIZE, true)
    const k = view.getUint32(at * INSTRUCTION_SIZE + 4, true)
    const slot = k < 16 ? k : 0
    switch (code) {
      case 0x20: // BPF_LD | BPF_W | BPF_ABS
        a = word(k, at)
        continue
      case 0x80: // BPF_LD | BPF_W | BPF_LEN
        a = SECCOMP_DATA.size
        continue
      case 0x81: // BPF_LDX | BPF_W | BPF_LEN
        x = SECCOMP_DATA.size
        continue
      case 0x00: // BPF_LD | BPF_IMM
        a = k
        continue
      case 0x01: // BPF_LDX | BPF_IMM
        x = k
        continue
      case 0x60: // BPF_LD | BPF_MEM
        a = scratch[slot] ?? 0
        continue
      case 0x61: // BPF_LDX | BPF_MEM
        x = scratch[slot] ?? 0
        continue
      case 0x02: // BPF_ST
        scratch[slot] = a
        continue
      case 0x03: // BPF_STX
        scratch[slot] = x
        continue
      case 0x07: // BPF_MISC | BPF_TAX
        x = a
        continue
      case 0x87: // BPF_MISC | BPF_TXA
        a = x
        continue
      case 0x05: // BPF_JMP | BPF_JA
        at += k
        continue
      case 0x06: // BPF_RET | BPF_K
        return k
      case 0x16: // BPF_RET | BPF_A
        return a
      default: {
        const operand = (code & 0x08) === 0 ? k : x
        const op = code & 0xf0
        if ((code & 0xff07) === 0x04) a = calculate(op, a, operand, at) >>> 0
        else if ((code & 0xff07) === 0x05) {
          at += compare(op, a, operand, at)
            ? view.getUint8(at * INSTRUCTION_SIZE + 2)
            : view.getUint8(at * INSTRUCTION_SIZE + 3)
        } else fault(at, `no instruction 0x${code.toString(16)} in a filter`)
      }
    }
  }
  return fault(program.length / INSTRUCTION_SIZE, 'the filter ends without a return')
}
