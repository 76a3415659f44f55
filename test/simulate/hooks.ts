import { registerHooks } from "node:module";

// Puts the simulation's edges in the place of the program's own: SQLite as it is, but watched; threads in this thread; the
// log, the topics, the receivers in this process. Everything else is the program's own code.

const HERE = new URL("./", import.meta.url).href;
const ROOT = new URL("../../", import.meta.url).href;

const PACKAGES: Readonly<Record<string, string>> = {
  "better-sqlite3": "edges/sqlite.ts",
  "node:worker_threads": "edges/worker-threads.ts",
};
const MODULES: Readonly<Record<string, string>> = {
  "projector/source/open-source.ts": "edges/open-source.ts",
  "projector/source/fold-workers.ts": "edges/fold-workers.ts",
  "projector/publish/floor.ts": "edges/floor.ts",
  "projector/publish/topic-channel.ts": "edges/topic-channel.ts",
  "projector/publish/topic-limits.ts": "edges/topic-limits.ts",
  "projector/publish/webhooks/post.ts": "edges/post.ts",
  "projector/publish/webhooks/address.ts": "edges/address.ts",
  "projector/projection/fold-version.ts": "edges/fold-version.ts",
  "projector/assemble/status.ts": "edges/status.ts",
  "api/plugins/docs.ts": "edges/docs.ts",
  "shared/log.ts": "edges/log.ts",
};
const edges = new Map(Object.entries(MODULES).map(([path, edge]) => [ROOT + path, HERE + edge]));

registerHooks({
  resolve(specifier, context, next) {
    const parent = context.parentURL ?? "";
    // An edge may use what it stands for.
    const isProgram = parent.startsWith(ROOT) && !parent.startsWith(`${HERE}edges/`);
    if (!isProgram || parent.includes("/node_modules/")) return next(specifier, context);
    const edge = PACKAGES[specifier];
    if (edge !== undefined) return { url: HERE + edge, shortCircuit: true };
    const found = next(specifier, context);
    const url = edges.get(found.url);
    return url === undefined ? found : { url, shortCircuit: true };
  },
});
