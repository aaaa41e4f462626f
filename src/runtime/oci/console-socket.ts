import { Buffer } from 'node:buffer'
import { InputError, TareError } from '../../linux/error.ts'
import { packetSocketPair, receiveDescriptors } from '../../linux/socket.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import type { Descriptors } from '../descriptors.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
/** sizeof sun_path of struct sockaddr_un, unix(7). */
const LONGEST = 107

/** Connects to the socket on which somebody waits for the other side of a terminal. Close it. */
const connectConsole = (path: string): number => {
  const operation = 'connect to the console socket'
  const bytes = Buffer.from(path)
  if (bytes.length > LONGEST)
    throw new InputError({ operation, target: path, reason: `its path has more than ${LONGEST} bytes` })
  const address = Buffer.alloc(2 + bytes.length + 1)
  address.writeUInt16LE(AF_UNIX, 0)
  bytes.copy(address, 2)
  const fd = syscall({ operation, target: path }, 'socket', AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
  const result = trySyscall('connect', fd, address, address.length)
  if (result >= 0) return fd
  trySyscall('close', fd)
  throw new TareError({ operation, target: path, syscall: 'connect', errno: -result })
}

/** Where a terminal's other side is sent to: a socket that somebody waits on, or one of our own. */
export class ConsoleEnds {
  /** The stage's end; undefined without a terminal. */
  readonly theirs: number | undefined
  readonly #ours: number | undefined

  /** What it opens goes with the descriptors. Throws {@link TareError} if nobody waits there. */
  constructor(terminal: boolean, path: string | undefined, descriptors: Descriptors) {
    if (!terminal) return
    if (path !== undefined) {
      this.theirs = descriptors.add(connectConsole(path))
      return
    }
    const [ours, theirs] = packetSocketPair()
    this.#ours = descriptors.add(ours)
    this.theirs = descriptors.add(theirs)
  }

  /** What was sent to us, once it was; it is the caller's to close. */
  receive(): number | undefined {
    if (this.#ours === undefined) return undefined
    return receiveDescriptors(this.#ours, 1, { operation: 'take the terminal' })?.fds[0]
  }
}
