import type { DeviceRule } from './device-rule.ts'
import { accessBits } from './device-rule.ts'

// Opcodes of eBPF (RFC 9669): class | source | operation.
const LOAD_WORD = 0x61 // dst = *(u32 *)(src + offset)
const MOVE_IMMEDIATE = 0xb4 // all of the following on 32 bits
const MOVE_REGISTER = 0xbc
const AND_IMMEDIATE = 0x54
const SHIFT_RIGHT = 0x74
const JUMP_EQUAL = 0x16
const JUMP_NOT_EQUAL = 0x56
const EXIT = 0x95

// What each register holds throughout the program.
const VERDICT = 0
const CONTEXT = 1
const KIND = 2
const WANTED = 3
const MAJOR = 4
const MINOR = 5
const SCRATCH = 6

/** BPF_DEVCG_DEV_* of linux/bpf.h. */
const KINDS: Readonly<Record<'b' | 'c', number>> = { b: 1, c: 2 }

/** One instruction: struct bpf_insn of linux/bpf.h. */
interface Instruction {
  readonly code: number
  readonly to?: number
  readonly from?: number
  readonly offset?: number
  readonly value?: number
}

const PROLOGUE: readonly Instruction[] = [
  // struct bpf_cgroup_dev_ctx: access_type (access << 16 | kind), major, minor.
  { code: LOAD_WORD, to: KIND, from: CONTEXT, offset: 0 },
  { code: MOVE_REGISTER, to: WANTED, from: KIND },
  { code: SHIFT_RIGHT, to: WANTED, value: 16 },
  { code: AND_IMMEDIATE, to: KIND, value: 0xffff },
  { code: LOAD_WORD, to: MAJOR, from: CONTEXT, offset: 4 },
  { code: LOAD_WORD, to: MINOR, from: CONTEXT, offset: 8 },
  { code: MOVE_IMMEDIATE, to: VERDICT, value: 0 },
]

const EPILOGUE: readonly Instruction[] = [{ code: EXIT }]

/** What a rule that matches does with the access that no later rule has decided on. */
const decide = ({ allow, access }: DeviceRule): readonly Instruction[] =>
  allow
    ? [
        { code: AND_IMMEDIATE, to: WANTED, value: ~accessBits(access) },
        { code: JUMP_NOT_EQUAL, to: WANTED, value: 0, offset: 2 },
        { code: MOVE_IMMEDIATE, to: VERDICT, value: 1 },
        { code: EXIT },
      ]
    : [
        { code: MOVE_REGISTER, to: SCRATCH, from: WANTED },
        { code: AND_IMMEDIATE, to: SCRATCH, value: accessBits(access) },
        { code: JUMP_EQUAL, to: SCRATCH, value: 0, offset: 1 },
        { code: EXIT },
      ]

const ruleInstructions = (rule: DeviceRule): readonly Instruction[] => {
  const tests: readonly (readonly [number, number])[] = [
    ...(rule.type === 'a' ? [] : [[KIND, KINDS[rule.type]] as const]),
    ...(rule.major === undefined ? [] : [[MAJOR, rule.major] as const]),
    ...(rule.minor === undefined ? [] : [[MINOR, rule.minor] as const]),
  ]
  const body = decide(rule)
  return [
    ...tests.map(([to, value], index): Instruction => {
      const rest = tests.length - 1 - index + body.length
      return { code: JUMP_NOT_EQUAL, to, value, offset: rest }
    }),
    ...body,
  ]
}

/**
 * The eBPF program (type BPF_PROG_TYPE_CGROUP_DEVICE) that answers as the rules do: for each bit of the access the last
 * rule that matches decides, and what none matches is refused. It walks the rules from the last to the first; a refusal
 * ends it at once, consent strikes the bits it covers off what is wanted, until nothing is left.
 */
export const assembleDeviceProgram = (rules: readonly DeviceRule[]): Uint8Array => {
  const instructions = [...PROLOGUE, ...rules.toReversed().flatMap(ruleInstructions), ...EPILOGUE]
  const bytes = new Uint8Array(instructions.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [index, { code, to = 0, from = 0, offset = 0, value = 0 }] of instructions.entries()) {
    view.setUint8(index * 8, code)
    view.setUint8(index * 8 + 1, (from << 4) | to)
    view.setInt16(index * 8 + 2, offset, true)
    view.setInt32(index * 8 + 4, value, true)
  }
  return bytes
}
