import { InputError } from '../../linux/error.ts'
import { suggest } from '../../linux/suggest.ts'
import { parseBytes } from '../../runtime/units.ts'
import type { JsonMember, JsonNode } from './json-source.ts'
import { JsonFault, plainJson } from './json-source.ts'

/** What a value may be: how it is read, and how a JSON schema says it (json-schema.org, draft 2020-12). */
export interface Shape<T> {
  readonly schema: Readonly<Record<string, unknown>>
  /** `name` is what the value is of: `mounts[0].target`. Throws {@link JsonFault}. */
  readonly read: (node: JsonNode, name: string) => T
}

const fault = ({ line }: { readonly line: number }, name: string, reason: string, hint?: string): JsonFault =>
  new JsonFault(line, `${name}: ${reason}`, hint)

export const text: Shape<string> = {
  schema: { type: 'string' },
  read: (node, name) => {
    if (typeof node.value !== 'string') throw fault(node, name, 'it is no text', 'Text stands in double quotes.')
    if (node.value.includes('\0')) throw fault(node, name, 'it has a NUL character in it')
    return node.value
  },
}

export const number: Shape<number> = {
  schema: { type: 'number' },
  read: (node, name) => {
    if (typeof node.value === 'number' && Number.isFinite(node.value)) return node.value
    throw fault(node, name, 'it is no number')
  },
}

/** A whole number, not negative. */
export const whole: Shape<number> = {
  schema: { type: 'integer', minimum: 0 },
  read: (node, name) => {
    const value = number.read(node, name)
    if (Number.isSafeInteger(value) && value >= 0) return value
    throw fault(node, name, 'it is no whole number from 0')
  },
}

export const flag: Shape<boolean> = {
  schema: { type: 'boolean' },
  read: (node, name) => {
    if (typeof node.value === 'boolean') return node.value
    throw fault(node, name, 'it is neither true nor false')
  },
}

/** Bytes, or text with a unit. */
export const size: Shape<number | string> = {
  schema: { type: ['integer', 'string'], examples: [67_108_864, '64MiB', '1.5g'] },
  read: (node, name) => {
    const value = typeof node.value === 'number' ? node.value : text.read(node, name)
    try {
      parseBytes(value, name)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      throw fault(node, name, `${JSON.stringify(value)} is no size`, error.hint)
    }
    return value
  },
}

export const either = <A, B>(one: Shape<A>, other: Shape<B>, what: string): Shape<A | B> => ({
  schema: { anyOf: [one.schema, other.schema] },
  read: (node, name) => {
    try {
      return one.read(node, name)
    } catch (error) {
      if (!(error instanceof JsonFault)) throw error
    }
    try {
      return other.read(node, name)
    } catch (error) {
      if (!(error instanceof JsonFault)) throw error
      throw fault(node, name, `it is not ${what}`)
    }
  },
})

export const oneOf = <const W extends string>(words: readonly W[]): Shape<W> => ({
  schema: { enum: words },
  read: (node, name) => {
    const found = words.find((word) => word === node.value)
    if (found !== undefined) return found
    const meant = typeof node.value === 'string' ? suggest(node.value, words) : undefined
    const hint =
      meant === undefined ? `It takes ${words.map((word) => `"${word}"`).join(', ')}.` : `Did you mean "${meant}"?`
    throw fault(node, name, `there is no ${JSON.stringify(plainJson(node))}`, hint)
  },
})

export const list = <T>(item: Shape<T>): Shape<readonly T[]> => ({
  schema: { type: 'array', items: item.schema },
  read: (node, name) => {
    if (!Array.isArray(node.value)) throw fault(node, name, 'it is no list', 'A list stands in [ and ].')
    const items: readonly JsonNode[] = node.value
    return items.map((each, index) => item.read(each, `${name}[${index}]`))
  },
})

const membersOf = (node: JsonNode, name: string): ReadonlyMap<string, JsonMember> => {
  if (node.value instanceof Map) return node.value
  throw fault(node, name, 'it is no object', 'An object stands in { and }.')
}

const below = (name: string, member: string): string => (name === '' ? member : `${name}.${member}`)

/** An object whose names anybody may choose. */
export const record = <T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> => ({
  schema: { type: 'object', additionalProperties: item.schema },
  read: (node, name) =>
    Object.fromEntries(
      [...membersOf(node, name)].map(([key, member]) => [key, item.read(member.node, below(name, key))]),
    ),
})

/** The shape of each property that is known; those in `required` must be there. */
export type Fields<T> = { readonly [Key in keyof T]-?: Shape<Exclude<T[Key], undefined>> }

interface AnyFields {
  readonly [key: string]: Shape<unknown>
}

/** An object with these properties, and no others. */
export function object<T>(fields: Fields<T>, required?: readonly (keyof T & string)[]): Shape<T>
// Property by property; the overload above states what comes of them together.
export function object(fields: AnyFields, required: readonly string[] = []): Shape<object> {
  const known = Object.keys(fields)
  return {
    schema: {
      type: 'object',
      properties: Object.fromEntries(Object.entries(fields).map(([key, { schema }]) => [key, schema])),
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: false,
    },
    read: (node, name) => {
      const members = membersOf(node, name)
      const missing = required.find((key) => !members.has(key))
      if (missing !== undefined) throw fault(node, below(name, missing), 'it is missing')
      return Object.fromEntries(
        [...members].map(([key, member]) => {
          const shape = Object.hasOwn(fields, key) ? fields[key] : undefined
          if (shape !== undefined) return [key, shape.read(member.node, below(name, key))]
          const meant = suggest(key, known)
          const hint = meant === undefined ? `There is ${known.join(', ')}.` : `Did you mean ${meant}?`
          throw fault(member, below(name, key), 'there is nothing of that name', hint)
        }),
      )
    },
  }
}
