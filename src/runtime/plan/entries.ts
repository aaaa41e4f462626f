import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { Entry } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { CWD } from './context.ts'
import { makeFilesystem } from './mounts.ts'

const CREATE = named(0o2000301, 'O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC')

const octal = (mode: number): string => `0${mode.toString(8)}`

/** Makes a directory, link or file below a directory that is ours alone. */
export const makeEntry = (context: PlanContext, root: Register, entry: Entry): void => {
  const { stage, data } = context
  switch (entry.kind) {
    case 'directory':
      stage.call({ what: `make the directory /${entry.path}` }, 'mkdirat', [
        root,
        context.string(entry.path),
        named(entry.mode, octal(entry.mode)),
      ])
      return
    case 'link':
      stage.call({ what: `link /${entry.path} to ${entry.target}` }, 'symlinkat', [
        context.string(entry.target),
        root,
        context.string(entry.path),
      ])
      return
    case 'file': {
      const words = { what: `write /${entry.path}` }
      const bytes = new TextEncoder().encode(entry.content)
      const file = stage.callFor('file', words, 'openat', [
        root,
        context.string(entry.path),
        CREATE,
        named(0o644, '0644'),
      ])
      stage.call(words, 'write', [file, data.add(bytes, `${bytes.length} bytes`), bytes.length])
      // A file system can't become read-only while a file of it is open for writing.
      if (context.spec.readOnlyRoot) stage.call({ what: `close /${entry.path}` }, 'close', [file])
      stage.release(file)
    }
  }
}

/** Attaches a detached mount on top of "/" of the stage's own mount namespace, and makes it the working directory. */
export const attachOverRoot = (context: PlanContext, mount: Register, name: string, why: string): void => {
  const { stage } = context
  context.stacked += 1
  stage.call({ what: `attach ${name}`, why }, 'move_mount', [
    mount,
    context.string(''),
    CWD,
    context.string('/'),
    named(4, 'MOVE_MOUNT_F_EMPTY_PATH'),
  ])
  stage.call({ what: `enter ${name}` }, 'fchdir', [mount])
}

/** An empty file system in memory that holds at most `size` bytes and a million files. */
export const makeTmpfs = (context: PlanContext, what: string, why: string, size: number, mode: string): Register =>
  makeFilesystem(context, 'tmpfs', what, why, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, [
    ['size', String(size)],
    ['nr_inodes', '1048576'],
    ['mode', mode],
  ])
