// Loads the command line: one file (scripts/build.mjs makes it) with the code that V8 made of it before, if this very
// V8 made it of this very file. Compiling would take longer than most commands do.
'use strict'

const fs = require('node:fs')
const Module = require('node:module')
const path = require('node:path')
const vm = require('node:vm')

const root = path.join(__dirname, '..')

exports.root = root
exports.file = path.join(root, 'dist', 'src', 'cli', 'tare.cjs')

/** The first line names the file by its content; V8 itself only compares the length. */
function cacheOf(source) {
  return path.join(root, 'build', 'tare-' + source.slice(3, 19) + '.cache')
}

function read(cache) {
  try {
    return fs.readFileSync(cache)
  } catch {
    // Made when it is built or installed; without it all works, only slower.
    return undefined
  }
}

/** { main, script, cache }: what the file exports, as V8 knows it, and where its code is kept. */
exports.load = function () {
  const source = fs.readFileSync(exports.file, 'utf8')
  const cache = cacheOf(source)
  const script = new vm.Script(Module.wrap(source), { filename: exports.file, cachedData: read(cache) })
  const module = { exports: {} }
  script.runInThisContext()(
    module.exports,
    Module.createRequire(exports.file),
    module,
    exports.file,
    path.dirname(exports.file),
  )
  return { main: module.exports.main, script: script, cache: cache }
}
