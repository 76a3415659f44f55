// `npm run keys -- create --workspace W [--name N] | list | revoke --hash PREFIX`
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { keysFile, readConfig } from "../shared/config.ts";
import { createKey, listKeys, openKeys, revokeKey } from "../shared/keys.ts";

const USAGE = "usage: npm run keys -- create --workspace W [--name N] | list | revoke --hash PREFIX";
const SHOWN = 12;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { workspace: { type: "string" }, name: { type: "string" }, hash: { type: "string" } },
});
const config = readConfig(process.env);
mkdirSync(config.databaseDir, { recursive: true });
const db = openKeys(keysFile(config));
try {
  run(positionals[0]);
} finally {
  db.close();
}

function run(command: string | undefined): void {
  if (command === "create" && values.workspace) {
    console.log(createKey(db, values.workspace, values.name ?? "unnamed"));
    console.error("Keep it: only its hash is stored, so it can't be shown again.");
  } else if (command === "list") {
    for (const { hash, workspaceId, name } of listKeys(db)) {
      console.log(`${hash.toString("hex").slice(0, SHOWN)}  ${workspaceId}  ${name}`);
    }
  } else if (command === "revoke" && values.hash) {
    const revoked = revokeKey(db, values.hash);
    console.log(revoked === 1 ? "revoked" : `nothing revoked: ${revoked} keys begin with that hash`);
    if (revoked !== 1) process.exitCode = 1;
  } else {
    console.error(USAGE);
    process.exitCode = 2;
  }
}
