import { RegisterPool, StepBuilder } from '../../plan/builder.ts'
import { DataBuilder } from '../../plan/data.ts'
import type { Data, Named, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { STATUS_FD } from '../plan/context.ts'
import type { LaunchSpec } from './spec.ts'

const WRITE_ONLY = named(0o2000001, 'O_WRONLY|O_CLOEXEC')
const AT_FDCWD = named(-100, 'AT_FDCWD')

/** The plan of a launch in the making. */
export class LaunchContext {
  readonly spec: LaunchSpec
  readonly data: DataBuilder = new DataBuilder()
  readonly stage: StepBuilder = new StepBuilder(this.data, new RegisterPool())
  /** Tare's descriptors that the stage inherits, behind those that every stage has. */
  readonly inherited: number[] = []

  constructor(spec: LaunchSpec) {
    this.spec = spec
  }

  string(value: string): Data {
    return this.data.string(value)
  }

  /** A descriptor of Tare's as the number that it has in the stage. */
  inherit(fd: number, name: string): Named {
    this.inherited.push(fd)
    return named(STATUS_FD + this.inherited.length - 1, name)
  }

  /** Writes a text to a file by its path. */
  write(path: string, text: string, words: Parameters<StepBuilder['call']>[0]): void {
    const bytes = new TextEncoder().encode(text)
    const fd: Register = this.stage.callFor('file', words, 'openat', [AT_FDCWD, this.string(path), WRITE_ONLY, 0])
    this.stage.call(words, 'write', [fd, this.data.add(bytes, JSON.stringify(text)), bytes.length])
    this.stage.call({ what: `close ${path}` }, 'close', [fd])
    this.stage.release(fd)
  }
}
