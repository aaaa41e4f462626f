import { statSync } from 'node:fs'
import type { DeviceRule } from '../linux/cgroup/index.ts'
import { splitDevice } from '../linux/device-number.ts'
import { InputError } from '../linux/error.ts'
import { DEVICE_RULES } from './devices.ts'

const refuse = (text: string, reason: string, hint: string): InputError =>
  new InputError({ operation: 'use', target: `${JSON.stringify(text)} as a device`, reason, hint })

const number = (text: string): number | undefined => (text === '*' ? undefined : Number(text))

const ACCESS = /^[rwm]+$/

/** In the kernel's own form: `c 1:3 rwm`, `b 8:* r`, `a`. */
const kernelRule = (text: string, allow: boolean): DeviceRule | undefined => {
  const match = /^([abc])(?: (\*|\d{1,10}):(\*|\d{1,10}))?(?: ([rwm]+))?$/.exec(text)
  if (match === null) return undefined
  const [, type, major = '*', minor = '*', access = 'rwm'] = match
  const kind = type === 'a' || type === 'b' ? type : 'c'
  return { allow, type: kind, major: number(major), minor: number(minor), access }
}

/** `/dev/fuse`, `/dev/fuse:rw`. */
const pathRule = (text: string, allow: boolean): DeviceRule => {
  const [path = '', access = 'rwm', ...rest] = text.split(':')
  if (rest.length > 0 || !ACCESS.test(access))
    throw refuse(text, 'its access is not made of r, w, m', 'Write /dev/fuse:rw: read, write, make (mknod).')
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) throw refuse(text, 'there is no such file', 'Write a path, or the numbers: c 10:229 rwm.')
  if (!stats.isCharacterDevice() && !stats.isBlockDevice())
    throw refuse(text, 'the file is no device', 'Write a path below /dev, or the numbers: c 10:229 rwm.')
  return { allow, type: stats.isBlockDevice() ? 'b' : 'c', ...splitDevice(stats.rdev), access }
}

const rulesOf = (word: string): readonly DeviceRule[] => {
  const allow = !word.startsWith('!')
  const text = allow ? word : word.slice(1)
  if (text === 'all') return [{ allow, type: 'a', access: 'rwm' }]
  if (text === 'none' && allow) return [{ allow: false, type: 'a', access: 'rwm' }]
  if (text === 'standard' && allow) return DEVICE_RULES
  const rule = kernelRule(text, allow)
  if (rule !== undefined) return [rule]
  if (text.startsWith('/')) return [pathRule(text, allow)]
  throw refuse(
    word,
    'it is neither a path nor all, none, standard',
    "Write /dev/null, /dev/sda:r, c 1:3 rwm (the kernel's form), with ! in front for an exception.",
  )
}

/**
 * Which devices a group may use, from a list with commas: paths with an access (`/dev/fuse:rw`), the kernel's own form
 * (`c 10:229 rw`), `all`, `none`, `standard` (null, zero, full, random, urandom, tty and terminals), each with a `!` in
 * front to forbid. The last that matches decides; what none matches is forbidden. Throws {@link InputError}.
 */
export const parseDeviceRules = (text: string): readonly DeviceRule[] =>
  text.split(',').flatMap((word) => rulesOf(word.trim()))
