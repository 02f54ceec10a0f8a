#!/usr/bin/env node
// The door to `trysail`. Plain, old JavaScript, so that a Node that is too old says so in one line.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 24) {
  console.error(`trysail needs Node 24 or newer, this is ${process.version} (${process.execPath}). From a clone, "npm ci" brings one: use "npx trysail" or "npm run trysail".`)
  process.exit(64)
}
