import { InputError } from '../linux/error.ts'
import { suggest } from '../linux/suggest.ts'

/** Throws for an option that isn't one, with the one that was meant. */
export const checkOptions = (options: object, known: readonly string[], what = 'option'): void => {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const meant = suggest(name, known)
    throw new InputError({
      operation: `use ${what}`,
      target: name,
      reason: 'there is none of that name',
      hint: meant === undefined ? `There is ${known.join(', ')}.` : `Did you mean ${meant}?`,
    })
  }
}
