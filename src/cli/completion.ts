import type { Command } from './command.ts'
import { command } from './command.ts'
import { completionTree } from './completion-words.ts'

export const completion: Command = command({
  description:
    'Prints a script that teaches a shell the commands and options of tare, so that the tab key completes them. ' +
    'The script stands alone: it runs nothing of Tare when a word is completed.',
  options: [],
  operands: [{ name: 'SHELL', choices: ['bash', 'zsh', 'fish'] }],
  examples: [
    { description: 'bash, in this shell', command: 'source <(tare completion bash)' },
    { description: 'zsh, for good', command: 'tare completion zsh > "${fpath[1]}/_tare"' },
    { description: 'fish, for good', command: 'tare completion fish > ~/.config/fish/completions/tare.fish' },
  ],
  run: async ({ operands, commands, terminal }) => {
    const tree = await completionTree(commands)
    if (operands[0] === 'bash') {
      terminal.print((await import('./completion-bash.ts')).bashCompletion(tree))
    } else if (operands[0] === 'zsh') {
      terminal.print((await import('./completion-zsh.ts')).zshCompletion(tree))
    } else {
      terminal.print((await import('./completion-fish.ts')).fishCompletion(tree))
    }
    return 0
  },
})
