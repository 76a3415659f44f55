import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../shared/config.ts";
import { viewFile } from "../../shared/generation.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const MIB = 1024 ** 2;
/** What is never to be gone below: the write-ahead log alone may take as much. */
const LEAST_FREE = 256 * MIB;
/** Files that are ours, beside others that a folder may hold. */
const OURS = /^(lead_view\.|keys\.sqlite|webhooks\.|control\.sqlite|owner\.lock|ops-key|example-key)/;
/** Files of the views' folder, with what others may do to them. */
const OTHERS = 0o077;

/** Whether the folder is there, this user's, and nobody else's. */
export function examineFolder({ databaseDir }: Config): Finding[] {
  const found = statSync(databaseDir, { throwIfNoEntry: false });
  if (found === undefined)
    return [
      fail(
        "folder",
        `${databaseDir}: there is no such folder`,
        "set DATABASE_DIR, or start a projector, which makes it",
      ),
    ];
  if (!found.isDirectory())
    return [fail("folder", `${databaseDir} is a file`, "set DATABASE_DIR to a folder")];
  try {
    accessSync(databaseDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return [
      fail(
        "folder",
        `this user may not write to ${databaseDir}`,
        "run it as the folder's user, or give the folder to this one (chown)",
      ),
    ];
  }
  const files = readdirSync(databaseDir).filter((name) => OURS.test(name));
  const stats = files.map((name) => ({
    name,
    stat: statSync(join(databaseDir, name), { throwIfNoEntry: false }),
  }));
  const strange = stats.filter(({ stat }) => stat && stat.uid !== found.uid).map(({ name }) => name);
  const open = stats.filter(({ stat }) => stat && (stat.mode & OTHERS) !== 0).map(({ name }) => name);
  const findings: Finding[] = [];
  if (strange.length > 0)
    findings.push(
      fail(
        "folder",
        `${some(strange)} belong to another user than ${databaseDir}: the projector may not be able to write them`,
        `chown them to the folder's user (${found.uid}), and run commands as that user`,
      ),
    );
  if (open.length > 0)
    findings.push(
      warn("folder", `others may read ${some(open)}: persons' data, keys' hashes, secrets`, `chmod 600 them`),
    );
  return findings.length > 0
    ? findings
    : [ok("folder", `${databaseDir} is this user's, and what is in it nobody else's`)];
}

/** Whether there is room: a rebuild takes as much again as the views, and the log's next hours want to be written too. */
export function examineDisk(config: Config): Finding[] {
  const { databaseDir } = config;
  if (!existsSync(databaseDir)) return [];
  const { bavail, bsize } = statfsSync(databaseDir);
  const free = bavail * bsize;
  const views = statSync(viewFile(config), { throwIfNoEntry: false })?.size ?? 0;
  const says = `${mib(free)} MiB are free where the views are, which take ${mib(views)} MiB`;
  const todo =
    "free some: remove kept generations (npx lead-view generations list), or move the folder to a larger disk";
  if (free < LEAST_FREE) return [fail("disk", says, todo)];
  if (free < views * 1.5) return [warn("disk", `${says}: too little for a rebuild`, todo)];
  return [ok("disk", says)];
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0);

const some = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
