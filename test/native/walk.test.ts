import { testRefusals } from './refusal-suite.ts'
import { ownMachine } from './stage.ts'
import { testWalk } from './walk-suite.ts'

testWalk(ownMachine)
testRefusals(ownMachine)
