import { Buffer } from 'node:buffer'
import { InputError, TareError } from '../../linux/error.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
/** sizeof sun_path of struct sockaddr_un, unix(7). */
const LONGEST = 107

/** Connects to the socket on which somebody waits for the other side of a terminal. Close it. */
export const connectConsole = (path: string): number => {
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
