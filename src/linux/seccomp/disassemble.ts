import { describeSeccompReturn } from './action.ts'
import { SECCOMP_ARCHITECTURES, seccompAbi } from './architectures.ts'
import { BPF, INSTRUCTION_SIZE, SECCOMP_DATA } from './bpf.ts'

const place = (offset: number): string => {
  if (offset === SECCOMP_DATA.nr) return 'nr'
  if (offset === SECCOMP_DATA.arch) return 'arch'
  if (offset < SECCOMP_DATA.args) return `instruction_pointer+${offset - 8}`
  const half = offset % 8 === 0 ? '' : '+4'
  return `args[${Math.floor((offset - SECCOMP_DATA.args) / 8)}]${half}`
}

const hex = (value: number): string => (value < 10 ? String(value) : `0x${value.toString(16)}`)

const audit = (value: number): string =>
  SECCOMP_ARCHITECTURES.find((architecture) => seccompAbi(architecture).audit === value) ?? hex(value)

const RELATIONS: Readonly<Record<number, string>> = {
  [BPF.JUMP_EQUAL]: '==',
  [BPF.JUMP_GREATER]: '>',
  [BPF.JUMP_GREATER_OR_EQUAL]: '>=',
}

/**
 * A filter in words, one line for one instruction: `12: nr >= 0x1a ? 14 : 13`, where 14 and 13 are the lines that
 * follow. Of instructions that {@link compileSeccomp} doesn't make it gives the numbers.
 */
export const disassembleSeccomp = (program: Uint8Array): readonly string[] => {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const lines: string[] = []
  /** What A holds where a line is reached; jumps lead only ahead. */
  const held = new Map<number, string>()
  for (let at = 0; (at + 1) * INSTRUCTION_SIZE <= program.length; at += 1) {
    const code = view.getUint16(at * INSTRUCTION_SIZE, true)
    const k = view.getUint32(at * INSTRUCTION_SIZE + 4, true)
    const yes = at + 1 + view.getUint8(at * INSTRUCTION_SIZE + 2)
    const no = at + 1 + view.getUint8(at * INSTRUCTION_SIZE + 3)
    const a = held.get(at) ?? 'a'
    const relation = RELATIONS[code]
    if (code === BPF.LOAD_WORD) {
      held.set(at + 1, place(k))
      lines.push(`${at}: load ${place(k)}`)
    } else if (code === BPF.AND) {
      held.set(at + 1, `(${a} & ${hex(k)})`)
      lines.push(`${at}: and ${hex(k)}`)
    } else if (code === BPF.JUMP) {
      held.set(at + 1 + k, a)
      lines.push(`${at}: go to ${at + 1 + k}`)
    } else if (code === BPF.RETURN) {
      lines.push(`${at}: return ${describeSeccompReturn(k)}`)
    } else if (relation !== undefined) {
      for (const next of [yes, no]) held.set(next, a)
      lines.push(`${at}: ${a} ${relation} ${a === 'arch' ? audit(k) : hex(k)} ? ${yes} : ${no}`)
    } else lines.push(`${at}: code ${hex(code)}, jt ${yes - at - 1}, jf ${no - at - 1}, k ${hex(k)}`)
  }
  return lines
}
