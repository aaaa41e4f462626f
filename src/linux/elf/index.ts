export * from './elf.ts'
export { isElf } from './reader.ts'
export * from './source.ts'
