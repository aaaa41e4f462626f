import { AT_FDCWD, syscall } from '../../src/linux/index.ts'

const MAX_HANDLE_SZ = 128

/** The `struct file_handle` of a file (name_to_handle_at(2)), as bytes in hexadecimal. */
export const fileHandle = (path: string): string => {
  const handle = Buffer.alloc(8 + MAX_HANDLE_SZ)
  handle.writeUInt32LE(MAX_HANDLE_SZ, 0)
  syscall({ operation: 'name' }, 'name_to_handle_at', AT_FDCWD, path, handle, new Int32Array(1), 0)
  return handle.subarray(0, 8 + handle.readUInt32LE(0)).toString('hex')
}
