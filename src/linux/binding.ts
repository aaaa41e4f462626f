import { loadAddon } from './addon.ts'

/** What crosses to the kernel as one argument of a system call. A buffer or a string stands for its address. */
export type Argument = number | bigint | string | NodeJS.ArrayBufferView | ArrayBuffer | null | undefined

/** The addon, native/binding.c. It words no errors: a failure is a negative errno. */
interface Binding {
  syscall(nr: number, ...args: readonly Argument[]): number
  calls(table: BigInt64Array, length: number, parts: number, helped: boolean): void
  address(buffer: NodeJS.ArrayBufferView | ArrayBuffer): bigint
  start(flags: number, slots: Int32Array, cgroup: number, held: boolean, unshare: number, result: BigInt64Array): number
  proceed(child: bigint): number
  finish(child: bigint): number
  watch(fd: number, callback: () => void, write?: boolean): number
  unwatch(fd: number): boolean
}

/** The loaded addon. Loading it costs one dlopen(3) and does nothing else. */
export const binding: Binding = loadAddon() as Binding
