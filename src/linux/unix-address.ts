import { Buffer } from 'node:buffer'
import { basename, dirname } from 'node:path'
import { TareError } from './error.ts'
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from './fcntl.ts'
import { syscall, trySyscall } from './syscall.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_SEQPACKET = 5
const SOCK_CLOEXEC_NONBLOCK = 0o2004000
/** The longest path that fits a struct sockaddr_un, in bytes, with the NUL behind it (unix(7)). */
const LONGEST = 107

/** Calls with a struct sockaddr_un that leads to a path, however long that is: by its directory, if need be. */
const withAddress = (path: string, call: (address: Buffer) => number): number => {
  if (Buffer.byteLength(path) <= LONGEST) return call(addressOf(path))
  const directory = syscall(
    { operation: 'open', target: dirname(path) },
    'openat',
    AT_FDCWD,
    dirname(path),
    O_PATH | O_DIRECTORY | O_CLOEXEC,
    0,
  )
  try {
    return call(addressOf(`/proc/self/fd/${directory}/${basename(path)}`))
  } finally {
    trySyscall('close', directory)
  }
}

const addressOf = (path: string): Buffer => {
  const address = Buffer.alloc(2 + Buffer.byteLength(path) + 1)
  address.writeUInt16LE(AF_UNIX, 0)
  address.write(path, 2)
  return address
}

const open = (type: number, operation: string, path: string, use: (socket: number) => number, name: string): number => {
  const socket = syscall({ operation: 'make a socket' }, 'socket', AF_UNIX, type | SOCK_CLOEXEC_NONBLOCK, 0)
  const result = use(socket)
  if (result >= 0) return socket
  trySyscall('close', socket)
  throw new TareError({ operation, target: path, syscall: name, errno: -result })
}

/** A socket of packets at a path, which must be free, that others can connect to. Close it, and remove the path. */
export const listenPackets = (path: string): number =>
  open(
    SOCK_SEQPACKET,
    'listen at',
    path,
    (socket) => {
      const bound = withAddress(path, (address) => trySyscall('bind', socket, address, address.length))
      return bound < 0 ? bound : trySyscall('listen', socket, 8)
    },
    'bind',
  )

/** A socket at a path, which must be free, that receives datagrams. Close it, and remove the path. */
export const bindDatagrams = (path: string): number =>
  open(
    SOCK_DGRAM,
    'listen at',
    path,
    (socket) => withAddress(path, (address) => trySyscall('bind', socket, address, address.length)),
    'bind',
  )

/** A connection with a socket of packets at a path; it doesn't block. Close it. */
export const connectPackets = (path: string): number =>
  open(
    SOCK_SEQPACKET,
    'connect with',
    path,
    (socket) => withAddress(path, (address) => trySyscall('connect', socket, address, address.length)),
    'connect',
  )
