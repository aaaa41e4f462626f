import { ERRNO } from '../../linux/errno.ts'
import type { StepBuilder } from '../../plan/builder.ts'
import type { Register, Words } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { CONTROL } from './context.ts'

const MSG_CMSG_CLOEXEC = named(0x40000000, 'MSG_CMSG_CLOEXEC')
const CMSG_HEADER = 16

/** Receives one message of one byte with descriptors over the control socket, into registers that are there already. */
export const receiveInto = (stage: StepBuilder, words: Words, registers: readonly Register[]): void => {
  const { data } = stage
  // struct msghdr, its one iovec, a byte, and the control message (recvmsg(2), cmsg(3), unix(7)).
  const controlSize = Math.ceil((CMSG_HEADER + registers.length * 4) / 8) * 8
  const header = data.space(56 + 16 + 8 + controlSize, `a message with ${registers.length} descriptors`)
  const [vector, byte, control] = [header.offset + 56, header.offset + 72, header.offset + 80]
  data.pointer(header.offset + 16, vector)
  data.setWord(header.offset + 24, 1)
  data.pointer(header.offset + 32, control)
  data.setWord(header.offset + 40, controlSize)
  data.pointer(vector, byte)
  data.setWord(vector + 8, 1)
  const received = stage.callFor('received', words, 'recvmsg', [CONTROL, header, MSG_CMSG_CLOEXEC])
  stage.check(words, received, 1, ERRNO['EPIPE'] ?? 32)
  registers.forEach((register, index) => {
    stage.loadInto(register, { what: `take ${register.name}` }, control + CMSG_HEADER + index * 4, 4)
  })
}

/** The same, into a new register: a message with one descriptor. */
export const receiveOne = (stage: StepBuilder, words: Words, name: string): Register => {
  const register = stage.register(name)
  receiveInto(stage, words, [register])
  return register
}
