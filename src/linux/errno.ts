import { constants } from 'node:os'

/** Names of the kernel's error numbers that Node's own table lacks (errno(3)). */
const MORE: Readonly<Record<string, number>> = {
  ENOTBLK: 15,
  ENONET: 64,
  ECOMM: 70,
  EBADFD: 77,
  EUSERS: 87,
  ESOCKTNOSUPPORT: 94,
  EPFNOSUPPORT: 96,
  ESHUTDOWN: 108,
  ETOOMANYREFS: 109,
  EHOSTDOWN: 112,
  EREMOTEIO: 121,
  ENOMEDIUM: 123,
  EMEDIUMTYPE: 124,
  ENOKEY: 126,
  EKEYEXPIRED: 127,
  EKEYREVOKED: 128,
  EKEYREJECTED: 129,
  EOWNERDEAD: 130,
  ENOTRECOVERABLE: 131,
}

const MEANING: Readonly<Record<string, string>> = {
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ESRCH: 'no such process',
  EINTR: 'interrupted',
  EIO: 'input/output error',
  ENXIO: 'no such device or address',
  E2BIG: 'argument list too long',
  ENOEXEC: 'not an executable format',
  EBADF: 'bad file descriptor',
  ECHILD: 'no child process',
  EAGAIN: 'resource temporarily unavailable',
  ENOMEM: 'out of memory',
  EACCES: 'permission denied',
  EFAULT: 'bad address',
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  EXDEV: 'crosses file systems',
  ENODEV: 'no such device, or not supported by the kernel',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EINVAL: 'invalid argument',
  ENFILE: 'too many open files on the host',
  EMFILE: 'too many open files in this process',
  ENOTTY: 'not a terminal',
  ETXTBSY: 'file is being written to',
  EFBIG: 'file too large',
  ENOSPC: 'no space left, or a limit on their number is reached',
  ESPIPE: 'illegal seek',
  EROFS: 'read-only file system',
  EMLINK: 'too many links',
  EPIPE: 'the other end is closed',
  ERANGE: 'out of range',
  ENAMETOOLONG: 'name too long',
  ENOSYS: 'not implemented by this kernel',
  ENOTEMPTY: 'directory not empty',
  ELOOP: 'too many symbolic links',
  ENODATA: 'no data',
  EOVERFLOW: 'value too large',
  EUSERS: 'too many nested namespaces',
  EOPNOTSUPP: 'not supported',
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'address not available',
  ENETUNREACH: 'network unreachable',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'host unreachable',
  ENETDOWN: 'network is down',
  ENOTCONN: 'not connected',
  ETIMEDOUT: 'timed out',
  EDQUOT: 'quota exceeded',
  ENOKEY: 'no such key',
}

/** Error numbers by name, the same on x86-64 and arm64. */
export const ERRNO: Readonly<Record<string, number>> = { ...constants.errno, ...MORE }

/** `ENOENT` for 2; `errno 999` for a number without a name. Where two names share a number, the usual one. */
export const errnoName = (errno: number): string => {
  if (errno === ERRNO['EAGAIN']) return 'EAGAIN'
  if (errno === ERRNO['EOPNOTSUPP']) return 'EOPNOTSUPP'
  for (const [name, value] of Object.entries(ERRNO)) if (value === errno) return name
  return `errno ${errno}`
}

/** `ENOENT (no such file or directory)`. */
export const errnoText = (errno: number): string => {
  const name = errnoName(errno)
  const meaning = MEANING[name]
  return meaning === undefined ? name : `${name} (${meaning})`
}
