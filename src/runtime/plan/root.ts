import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { Entry, Root } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { CWD } from './context.ts'
import { hostTree, makeFilesystem } from './mounts.ts'
import { makeOverlay } from './overlay.ts'

const CREATE = named(0o2000301, 'O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC')

/** The root of a container in the making: its descriptor, and which directories in it are ours alone. */
export interface PlannedRoot {
  readonly register: Register
  /** Directories, relative to the root, that we made and no one else can have changed; '' is the root itself. */
  readonly own: Set<string>
}

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

/** Makes the root file system, attaches it and enters it. */
export const planRoot = (context: PlanContext, root: Root): PlannedRoot => {
  context.stage.mechanism('chroot')
  const attach = (register: Register): void =>
    attachOverRoot(context, register, 'the new root', 'on top of the old one, which pivot_root takes away')
  switch (root.kind) {
    case 'made': {
      const why = 'empty, in memory: it holds only what the container is given'
      const register = makeTmpfs(context, 'make the new root', why, root.size, '755')
      attach(register)
      for (const entry of root.entries) makeEntry(context, register, entry)
      const directories = root.entries.filter(({ kind }) => kind === 'directory').map(({ path }) => path)
      return { register, own: new Set(['', ...directories]) }
    }
    case 'directory': {
      const register = hostTree(context, root.path, true)
      attach(register)
      return { register, own: new Set() }
    }
    case 'overlay': {
      const register = makeOverlay(context, root.layers, 0)
      attach(register)
      return { register, own: new Set() }
    }
  }
}
