import { InputError } from '../error.ts'

const SCOPES = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const

/** How far an address or a route reaches, or the number of a scope that has no name (rtnetlink(7)). */
export type Scope = keyof typeof SCOPES | number

/** The number of a scope. Throws {@link InputError} if it is no byte. */
export const scopeNumber = (scope: Scope): number => {
  const number = typeof scope === 'number' ? scope : SCOPES[scope]
  if (Number.isInteger(number) && number >= 0 && number <= 255) return number
  throw new InputError({ operation: 'use scope', target: String(scope), reason: 'it is not from 0 to 255' })
}

/** The name of a scope, or its number. */
export const scopeName = (number: number): Scope => {
  switch (number) {
    case SCOPES.global:
      return 'global'
    case SCOPES.site:
      return 'site'
    case SCOPES.link:
      return 'link'
    case SCOPES.host:
      return 'host'
    case SCOPES.nowhere:
      return 'nowhere'
    default:
      return number
  }
}
