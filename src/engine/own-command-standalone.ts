/** The words that start the command line, where all of it is one program. The build puts this in ./own-command.ts's place. */
export const ownCommand = (): readonly string[] => [process.execPath]
