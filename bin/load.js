// Loads the command line: a few files (scripts/build.mjs makes them), each with the code that V8 made of it before, if
// this very V8 made it of this very file. Compiling would take longer than most commands do.
'use strict'

const fs = require('node:fs')
const Module = require('node:module')
const path = require('node:path')
const vm = require('node:vm')

const root = path.join(__dirname, '..')
const code = path.join(root, 'dist', 'cli', 'code')

/** By path: { exports, script, cache }. */
const loaded = new Map()

function read(cache) {
  try {
    return fs.readFileSync(cache)
  } catch {
    // Made when it is built or installed; without it all works, only slower.
    return undefined
  }
}

function load(file) {
  const known = loaded.get(file)
  if (known !== undefined) return known.exports
  const source = fs.readFileSync(file, 'utf8')
  // The first line names a file by its content; V8 itself compares the length only.
  const cache = path.join(root, 'build', 'code', `${source.slice(3, 19)}.cache`)
  const script = new vm.Script(Module.wrap(source), { filename: file, cachedData: read(cache) })
  const module = { exports: {}, script, cache }
  loaded.set(file, module)
  const outside = Module.createRequire(file)
  const requireFrom = (name) => (name.startsWith('./') ? load(path.join(code, name)) : outside(name))
  script.runInThisContext()(module.exports, requireFrom, module, file, code)
  return module.exports
}

exports.root = root
exports.file = path.join(code, 'main.js')
exports.loaded = loaded

/** What the command line exports: { main }. */
exports.load = function () {
  return load(exports.file)
}
