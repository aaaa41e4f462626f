import { createRequire } from 'node:module'

/** The version of this package. The standalone program, beside which there is no package.json, has it built in. */
export const packageVersion = (): string => {
  const text: unknown = createRequire(import.meta.url)('../../../package.json')
  if (typeof text === 'object' && text !== null && 'version' in text) return String(text.version)
  throw new Error('cannot read the version: package.json has none')
}
