#!/usr/bin/env node
// The door of all commands, in plain JavaScript: it also has an answer where the packages are not installed, or the
// machine's own Node.js is older than the one that they bring along.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 24;
const packages = new URL("../../node_modules/", import.meta.url);
const pinnedNode = fileURLToPath(new URL("node/bin/node", packages));

if (!existsSync(new URL("commander/", packages))) {
  fail("its packages are not installed; run this first, in its folder: npm ci");
} else if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) {
  keepCompiled();
  await import("./run.ts");
} else if (existsSync(pinnedNode)) {
  const [, , ...args] = process.argv;
  const child = spawn(pinnedNode, [fileURLToPath(import.meta.url), ...args], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
} else {
  fail(
    `it needs Node.js ${OLDEST_NODE}, and this is ${process.version}; npm ci, in its folder, brings that along`,
  );
}

/**
 * Keeps what was compiled in the user's own cache folder, so that the next command starts sooner. Not in the folder for temporary
 * files, where others could plant code; where it can't be written, nothing is kept.
 */
function keepCompiled() {
  const { XDG_CACHE_HOME, HOME, NODE_COMPILE_CACHE } = process.env;
  const folder = XDG_CACHE_HOME || (HOME && join(HOME, ".cache"));
  if (!folder || NODE_COMPILE_CACHE !== undefined) return;
  const compiled = join(folder, "lead-view", "compiled");
  module.enableCompileCache(compiled);
  // For the threads and processes that the command starts.
  process.env.NODE_COMPILE_CACHE = compiled;
}

function fail(message) {
  process.stderr.write(`lead-view: ${message}\n`);
  process.exitCode = 1;
}
