/** The instructions of classic BPF that filters here are made of (linux/bpf_common.h). */
export const BPF = {
  LOAD_WORD: 0x20, // A = the word at k of seccomp_data
  AND: 0x54, // A &= k
  JUMP: 0x05, // ahead by k
  JUMP_EQUAL: 0x15, // A == k ? ahead by jt : ahead by jf
  JUMP_GREATER: 0x25,
  JUMP_GREATER_OR_EQUAL: 0x35,
  RETURN: 0x06, // k
} as const

/** Most instructions of a filter: BPF_MAXINSNS. */
export const MAX_INSTRUCTIONS = 4096

/** Bytes of a struct sock_filter. */
export const INSTRUCTION_SIZE = 8

/** Offsets in struct seccomp_data (linux/seccomp.h). */
export const SECCOMP_DATA = { nr: 0, arch: 4, args: 16, size: 64 } as const

const FULL = 0xffff_ffff

/** The end of a path through a filter. */
export interface Verdict {
  readonly id: number
  readonly value: number
}

export type Comparison = 'equal' | 'greater' | 'greaterOrEqual'

/** `(word at offset & mask) COMPARISON value ? yes : no`, unsigned. */
export interface Test {
  readonly id: number
  readonly offset: number
  readonly mask: number
  readonly comparison: Comparison
  readonly value: number
  readonly yes: Node
  readonly no: Node
}

export type Node = Verdict | Test

/** Makes a filter's nodes, the same ones once: what is alike in two places is shared. */
export interface Graph {
  readonly verdict: (value: number) => Verdict
  /** A test, or what it comes to where the outcome is known. */
  readonly test: (
    offset: number,
    mask: number,
    comparison: Comparison,
    value: number,
    outcomes: { readonly yes: Node; readonly no: Node },
  ) => Node
}

/** An empty graph. */
export const createGraph = (): Graph => {
  const verdicts = new Map<number, Verdict>()
  /** By a number of value and outcomes, or the next one that is free. */
  const tests = new Map<number, Test>()
  let count = 0
  return {
    verdict: (value) => {
      const known = verdicts.get(value)
      if (known !== undefined) return known
      const made = { id: count++, value }
      verdicts.set(value, made)
      return made
    },
    test: (offset, mask, comparison, value, { yes, no }) => {
      if (yes === no) return yes
      if (comparison === 'greaterOrEqual' && value === 0) return yes
      if (comparison === 'greater' && value === FULL) return no
      if (comparison === 'equal' && (value & ~mask) !== 0) return no
      if (comparison === 'equal' && mask === 0) return yes
      let key = ((yes.id * 31 + no.id) % 0x10_0000) * 0x1_0000_0000 + value
      for (let known = tests.get(key); known !== undefined; known = tests.get(key)) {
        const same = known.yes === yes && known.no === no && known.offset === offset && known.mask === mask
        if (same && known.value === value && known.comparison === comparison) return known
        key += 1
      }
      const made = { id: count++, offset, mask, comparison, value, yes, no }
      tests.set(key, made)
      return made
    },
  }
}

const isTest = (node: Node): node is Test => 'comparison' in node

/** A test whose word is already in A when `from` hands over starts behind its load. */
const hasLoaded = (from: Test, to: Node): boolean => isTest(to) && from.mask === FULL && from.offset === to.offset

const OPCODES: Readonly<Record<Comparison, number>> = {
  equal: BPF.JUMP_EQUAL,
  greater: BPF.JUMP_GREATER,
  greaterOrEqual: BPF.JUMP_GREATER_OR_EQUAL,
}

/** Every node after those it leads to. A filter may be deeper than the stack. Nodes are younger than what they lead to. */
const postOrder = (root: Node): readonly Node[] => {
  const order: Node[] = []
  const seen = new Uint8Array(root.id + 1)
  const done = new Uint8Array(root.id + 1)
  const stack: Node[] = [root]
  for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
    if (seen[node.id] === 0 && isTest(node)) {
      // What leads to nothing new is done when it is met again.
      if (seen[node.yes.id] === 0) stack.push(node.yes)
      if (seen[node.no.id] === 0) stack.push(node.no)
    } else {
      stack.pop()
      if (done[node.id] === 0) order.push(node)
      done[node.id] = 1
    }
    seen[node.id] = 1
  }
  return order
}

/**
 * The program of a graph: struct sock_filter, one after the other, in this machine's byte order (little-endian on
 * both that Tare runs on). It may be longer than the kernel takes.
 *
 * It is laid out from its end, for BPF jumps only ahead: whatever a test leads to has a place when the test gets its
 * own. A test reaches 255 instructions far; what lies farther is brought near first, a verdict by a copy and anything
 * else by a long jump, and later tests use the nearer place.
 */
export const assemble = (root: Node): Uint8Array => {
  const order = postOrder(root)
  const mustLoad = new Uint8Array(root.id + 1)
  mustLoad[root.id] = 1
  for (const node of order) {
    if (!isTest(node)) continue
    if (!hasLoaded(node, node.yes)) mustLoad[node.yes.id] = 1
    if (!hasLoaded(node, node.no)) mustLoad[node.no.id] = 1
  }

  /** k, then the rest, of each instruction from the last to the first. */
  const reversed: number[] = []
  const emit = (code: number, jt: number, jf: number, k: number): number =>
    reversed.push(k, code + jt * 0x1_0000 + jf * 0x100_0000) / 2

  /** Nearest place of a node, counted from the end: where it loads, and where it has loaded. */
  const places = new Uint32Array(root.id + 1)
  const loadedPlaces = new Uint32Array(root.id + 1)
  const distance = (to: Node, book: Uint32Array): number => reversed.length / 2 - (book[to.id] ?? 0)
  const bringNear = (to: Node, book: Uint32Array): void => {
    if (distance(to, book) <= 255) return
    book[to.id] = isTest(to) ? emit(BPF.JUMP, 0, 0, distance(to, book)) : emit(BPF.RETURN, 0, 0, to.value)
  }

  for (const node of order) {
    if (!isTest(node)) {
      places[node.id] = emit(BPF.RETURN, 0, 0, node.value)
      continue
    }
    const { yes, no } = node
    const yesBook = hasLoaded(node, yes) ? loadedPlaces : places
    const noBook = hasLoaded(node, no) ? loadedPlaces : places
    bringNear(yes, yesBook)
    bringNear(no, noBook)
    // The second may have pushed the first out of reach.
    bringNear(yes, yesBook)
    let place = emit(OPCODES[node.comparison], distance(yes, yesBook), distance(no, noBook), node.value)
    if (node.mask !== FULL) place = emit(BPF.AND, 0, 0, node.mask)
    loadedPlaces[node.id] = place
    places[node.id] = mustLoad[node.id] === 1 ? emit(BPF.LOAD_WORD, 0, 0, node.offset) : place
  }
  return new Uint8Array(Uint32Array.from(reversed.toReversed()).buffer)
}
