import { statSync } from 'node:fs'
import { isAbsolute, normalize, resolve } from 'node:path'
import { InputError } from '../linux/error.ts'
import type { Propagation } from '../linux/mount-flags.ts'
import {
  PROPAGATION_FLAGS,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
} from '../linux/mount-flags.ts'
import type { Mount } from '../runtime/spec.ts'
import { checkOptions } from './check-options.ts'
import { parseBytes } from '../runtime/units.ts'
import type { BindMount, MountOption, OverlayMount, TmpfsMount } from './options.ts'

/** What is at a path of the host; throws for nothing. */
const requirePath = (path: string, what: string): 'directory' | 'file' => {
  if (path.includes('\0'))
    throw new InputError({ operation: 'use', target: JSON.stringify(path), reason: 'a path has no NUL character' })
  const operation = `use ${path} as ${what}`
  try {
    return statSync(path).isDirectory() ? 'directory' : 'file'
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'it does not exist',
      EACCES: 'you may not go there',
      ENOTDIR: 'it leads through a file',
    }
    throw new InputError({
      operation,
      reason: reasons[code] ?? code,
      hint: 'It is a path of the host: make it first, or give another.',
      cause,
    })
  }
}

export const requireDirectory = (path: string, what: string): string => {
  const full = resolve(path)
  if (requirePath(full, what) === 'directory') return full
  throw new InputError({ operation: `use ${full} as ${what}`, reason: 'it is not a directory' })
}

/** An absolute path of the container, normalized. /proc is refused: what is mounted there would lie about the kernel. */
const target = (path: string): string => {
  const operation = 'mount at'
  if (typeof path !== 'string' || !isAbsolute(path) || path.includes('\0'))
    throw new InputError({
      operation,
      target: JSON.stringify(path),
      reason: 'a target is an absolute path in the container',
    })
  const normal = normalize(path).replace(/(.)\/$/, '$1')
  if (normal === '/')
    throw new InputError({ operation, target: '/', reason: 'that is the root', hint: 'Choose the root by rootfs.' })
  if (normal === '/proc' || normal.startsWith('/proc/'))
    throw new InputError({
      operation,
      target: normal,
      reason: 'what a program reads in /proc must come from the kernel (CVE-2019-16884)',
    })
  return normal
}

const checkPropagation = (propagation: Propagation | undefined): Propagation | undefined => {
  if (propagation === undefined || propagation in PROPAGATION_FLAGS) return propagation
  throw new InputError({
    operation: 'use propagation',
    target: JSON.stringify(propagation),
    reason: `it is ${Object.keys(PROPAGATION_FLAGS).join(', ')}`,
  })
}

const bind = (option: BindMount): Mount => {
  const source = resolve(option.source)
  const make = requirePath(source, 'the source of a mount')
  return {
    kind: 'bind',
    source,
    target: target(option.target),
    attributes:
      (option.readOnly === true ? MOUNT_ATTR_RDONLY : 0) |
      (option.noExec === true ? MOUNT_ATTR_NOEXEC : 0) |
      (option.privileged === true ? 0 : MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV),
    recursive: option.recursive ?? true,
    make,
    propagation: checkPropagation(option.propagation),
    idmap: option.idmap ?? true,
  }
}

const tmpfs = (option: TmpfsMount): Mount => {
  const options: [string, string][] = [['mode', (option.mode ?? 0o1777).toString(8)]]
  if (option.size !== undefined) options.push(['size', String(parseBytes(option.size, `the size of ${option.target}`))])
  return {
    kind: 'filesystem',
    type: 'tmpfs',
    target: target(option.target),
    attributes:
      MOUNT_ATTR_NOSUID |
      MOUNT_ATTR_NODEV |
      (option.exec === true ? 0 : MOUNT_ATTR_NOEXEC) |
      (option.readOnly === true ? MOUNT_ATTR_RDONLY : 0),
    options,
  }
}

const overlay = (option: OverlayMount, size: number): Mount => {
  const lower = typeof option.lower === 'string' ? [option.lower] : option.lower
  if (lower.length === 0)
    throw new InputError({
      operation: 'mount an overlay at',
      target: option.target,
      reason: 'it has no lower directory',
    })
  return {
    kind: 'overlay',
    target: target(option.target),
    layers: {
      lower: lower.map((path) => requireDirectory(path, 'a lower directory')),
      kept: option.keep === undefined ? undefined : requireDirectory(option.keep, 'the directory of changes'),
      size,
    },
    attributes: option.readOnly === true ? MOUNT_ATTR_RDONLY : 0,
  }
}

const KEYS: Readonly<Record<NonNullable<MountOption['type']>, readonly string[]>> = {
  bind: ['type', 'source', 'target', 'readOnly', 'recursive', 'propagation', 'noExec', 'privileged', 'idmap'],
  tmpfs: ['type', 'target', 'size', 'mode', 'readOnly', 'exec'],
  overlay: ['type', 'lower', 'target', 'keep', 'readOnly'],
}

/** Checks mounts and fills in what was left out; `size` bounds overlays that are kept in memory. */
export const resolveMounts = (options: readonly MountOption[], size: number): readonly Mount[] =>
  options.map((option): Mount => {
    const known: readonly string[] | undefined = KEYS[option.type ?? 'bind']
    if (known !== undefined) checkOptions(option, known, 'mount option')
    switch (option.type) {
      case 'tmpfs':
        return tmpfs(option)
      case 'overlay':
        return overlay(option, size)
      case 'bind':
      case undefined:
        return bind(option)
      default:
        throw new InputError({
          operation: 'use a mount of type',
          target: JSON.stringify(Reflect.get(option, 'type')),
          reason: 'there is bind, tmpfs and overlay',
        })
    }
  })
