import assert from 'node:assert/strict'
import { test } from 'node:test'
import { disassembleSeccomp } from './disassemble.ts'
import { interpretSeccomp } from './interpret.ts'

type Instruction = readonly [code: number, k?: number, jt?: number, jf?: number]

const program = (...instructions: readonly Instruction[]): Uint8Array => {
  const bytes = new Uint8Array(8 * instructions.length)
  const view = new DataView(bytes.buffer)
  for (const [i, [code, k = 0, jt = 0, jf = 0]] of instructions.entries()) {
    view.setUint16(8 * i, code, true)
    view.setUint8(8 * i + 2, jt)
    view.setUint8(8 * i + 3, jf)
    view.setUint32(8 * i + 4, k, true)
  }
  return bytes
}

const LITTLE = 0xc000_003e
const BIG = 0x8000_0016
const run = (...instructions: readonly Instruction[]): number =>
  interpretSeccomp(program(...instructions), {
    arch: LITTLE,
    nr: 7,
    instructionPointer: 0x1122_3344_5566_7788n,
    args: [0xaabb_ccdd_0011_2233n, 5],
  })

test('words of seccomp_data are loaded from where the kernel puts them', () => {
  assert.equal(run([0x20, 0], [0x16]), 7)
  assert.equal(run([0x20, 4], [0x16]), LITTLE)
  assert.equal(run([0x20, 8], [0x16]), 0x5566_7788)
  assert.equal(run([0x20, 12], [0x16]), 0x1122_3344)
  assert.equal(run([0x20, 16], [0x16]), 0x0011_2233)
  assert.equal(run([0x20, 20], [0x16]), 0xaabb_ccdd)
  assert.equal(run([0x20, 24], [0x16]), 5)
  const big = { arch: BIG, nr: 1, args: [0xaabb_ccdd_0011_2233n] }
  assert.equal(interpretSeccomp(program([0x20, 16], [0x16]), big), 0xaabb_ccdd)
  assert.equal(interpretSeccomp(program([0x20, 20], [0x16]), big), 0x0011_2233)
})

test('arithmetic is unsigned, of 32 bits, by a constant or by X', () => {
  const cases: readonly (readonly [number, number, number, number])[] = [
    [0x00, 0xffff_ffff, 2, 1],
    [0x10, 1, 2, 0xffff_ffff],
    [0x20, 0x8000_0001, 3, 0x8000_0003],
    [0x30, 0xffff_ffff, 2, 0x7fff_ffff],
    [0x40, 0x8000_0000, 1, 0x8000_0001],
    [0x50, 0xf0f0_f0f0, 0xff00_ff00, 0xf000_f000],
    [0x60, 0xc000_0001, 1, 0x8000_0002],
    [0x70, 0x8000_0000, 31, 1],
    [0xa0, 0xffff_0000, 0x0f0f_0f0f, 0xf0f0_0f0f],
  ]
  for (const [op, a, operand, result] of cases) {
    assert.equal(run([0x00, a], [0x04 + op, operand], [0x16]), result, `0x${op.toString(16)}, constant`)
    assert.equal(run([0x01, operand], [0x00, a], [0x0c + op], [0x16]), result, `0x${op.toString(16)}, X`)
  }
  assert.equal(run([0x00, 1], [0x84], [0x16]), 0xffff_ffff)
})

test('jumps compare unsigned and skip what they say', () => {
  const jump = (code: number, a: number, k: number): number =>
    run([0x00, a], [code, k, 1, 2], [0x06, 0], [0x06, 1], [0x06, 2])
  assert.deepEqual([jump(0x15, 5, 5), jump(0x15, 5, 6)], [1, 2])
  assert.deepEqual([jump(0x25, 0xffff_ffff, 1), jump(0x25, 1, 1)], [1, 2])
  assert.deepEqual([jump(0x35, 1, 1), jump(0x35, 0, 0xffff_ffff)], [1, 2])
  assert.deepEqual([jump(0x45, 0x8000_0000, 0x8000_0000), jump(0x45, 1, 2)], [1, 2])
  assert.equal(run([0x05, 1], [0x06, 1], [0x06, 2]), 2)
  assert.equal(run([0x01, 9], [0x00, 9], [0x1d, 0, 0, 1], [0x06, 1], [0x06, 2]), 1)
})

test('scratch memory, X and lengths', () => {
  assert.equal(run([0x00, 4], [0x02, 3], [0x00, 0], [0x60, 3], [0x16]), 4)
  assert.equal(run([0x01, 6], [0x03, 15], [0x61, 15], [0x87], [0x16]), 6)
  assert.equal(run([0x00, 8], [0x07], [0x00, 0], [0x87], [0x16]), 8)
  assert.equal(run([0x80], [0x16]), 64)
  assert.equal(run([0x81], [0x87], [0x16]), 64)
})

test('what the kernel refuses is refused', () => {
  assert.throws(() => run([0x20, 64], [0x16]), /instruction 0 of the filter: no word at 64/)
  assert.throws(() => run([0x20, 2], [0x16]), /no word at 2/)
  assert.throws(() => run([0x28, 0], [0x16]), /no instruction 0x28/)
  assert.throws(() => run([0x00, 1]), /ends without a return/)
  assert.throws(() => run([0x05, 7], [0x06, 1]), /ends without a return/)
  assert.throws(() => run([0x94, 3], [0x16]), /no arithmetic 0x90/)
  assert.throws(() => run([0x34, 0], [0x16]), /divides by 0/)
})

test('a listing follows what is loaded along the jumps', () => {
  const lines = disassembleSeccomp(
    program(
      [0x20, 4],
      [0x15, LITTLE, 0, 5],
      [0x20, 0],
      [0x35, 10, 0, 2],
      [0x20, 28],
      [0x54, 0xff],
      [0x06, 0x5_0001],
      [0x06, 0x7fff_0000],
    ),
  )
  assert.deepEqual(lines, [
    '0: load arch',
    '1: arch == SCMP_ARCH_X86_64 ? 2 : 7',
    '2: load nr',
    '3: nr >= 0xa ? 4 : 6',
    '4: load args[1]+4',
    '5: and 0xff',
    '6: return errno EPERM',
    '7: return allow',
  ])
})
