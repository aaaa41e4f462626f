/** One of the words that an option takes, typed as such. */
export const wordOf = <W extends string>(word: string | undefined, words: readonly W[]): W | undefined =>
  words.find((each) => each === word)
