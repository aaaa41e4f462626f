import { ownMachine } from './stage.ts'
import { testWalk } from './walk-suite.ts'

testWalk(ownMachine)
