import { createRequire } from 'node:module'

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
  watch(fd: number, callback: () => void): number
  unwatch(fd: number): boolean
}

const load = (): Binding => {
  const require = createRequire(import.meta.url)
  const places = ['../../../build/tare.node', `../../../prebuilds/linux-${process.arch}/tare.node`]
  const failures: string[] = []
  for (const place of places) {
    try {
      return require(place) as Binding
    } catch (cause) {
      failures.push(`  ${place}: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`)
    }
  }
  throw new Error(`cannot load Tare's native addon; tried\n${failures.join('\n')}\nRun "npm run setup" to build it.`)
}

/** The loaded addon. Loading it costs one dlopen(3) and does nothing else. */
export const binding: Binding = load()
