import { InputError } from '../../linux/error.ts'

const NAME = /^[A-Za-z\d][A-Za-z\d+._:-]*([=/][A-Za-z\d][A-Za-z\d+._:~-]*)?$/

/**
 * Names of packages, each with a version (`nginx=1.22.1-9`) if that matters, sorted and each once. An element may hold
 * several, with commas or spaces between. Throws {@link InputError} for what is no name of a package.
 */
export const parseInclude = (include: readonly string[]): readonly string[] => {
  const names = include.flatMap((each) => each.split(/[\s,]+/)).filter((name) => name !== '')
  for (const name of names)
    if (!NAME.test(name))
      throw new InputError({
        operation: 'include',
        target: JSON.stringify(name),
        reason: 'it is no name of a package',
        hint: 'Write names with commas between: nginx,openssh-server.',
      })
  return [...new Set(names)].toSorted()
}
