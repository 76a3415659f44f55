import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { randomId } from "../../../shared/clock.ts";
import type { Endpoints } from "./endpoints.ts";

/*
 * A database that was copied, or restored from a copy, may be a try: it must not send customers' webhooks by itself. So
 * the endpoints know where they live: the inode of a small file beside them, and a text in it that is drawn anew whenever
 * sending begins. A copy, an unpacked archive, a restored snapshot of files has another inode; endpoints that were put back
 * beside a newer file know another text. A restart, also of a container on the same volume, changes neither. (Not noticed:
 * a volume that is cloned block by block, or a folder whose every file is overwritten in place by its own older content.)
 */

const marker = (databaseDir: string): string => join(databaseDir, "webhooks.home");

const textsOf = (databaseDir: string): string[] =>
  existsSync(marker(databaseDir))
    ? readFileSync(marker(databaseDir), "utf8").split("\n").filter(Boolean)
    : [];

const inodeOf = (databaseDir: string): string => String(statSync(marker(databaseDir), { bigint: true }).ino);

/** True where the endpoints are where they were last told to send from, or there is nobody to send to yet. */
export function isAtHome(databaseDir: string, endpoints: Pick<Endpoints, "fact" | "all">): boolean {
  if (endpoints.all().length === 0) return true;
  const home = endpoints.fact("home");
  if (home === undefined) return false;
  const [inode, text] = home.split(" ");
  const texts = textsOf(databaseDir);
  return texts.includes(text as string) && inodeOf(databaseDir) === inode;
}

/** From now on this is where they send from. */
export function settleHere(databaseDir: string, endpoints: Pick<Endpoints, "fact" | "setFact">): void {
  const text = randomId();
  const before = endpoints.fact("home")?.split(" ")[1];
  // Killed in between, either text is right; afterwards the new one alone.
  write(databaseDir, before !== undefined && textsOf(databaseDir).includes(before) ? [before, text] : [text]);
  endpoints.setFact("home", `${inodeOf(databaseDir)} ${text}`);
  write(databaseDir, [text]);
}

/** In place: another file would be another inode. */
function write(databaseDir: string, texts: readonly string[]): void {
  const file = openSync(marker(databaseDir), existsSync(marker(databaseDir)) ? "r+" : "w", 0o600);
  try {
    const content = `${texts.join("\n")}\n`;
    writeSync(file, content, 0);
    ftruncateSync(file, Buffer.byteLength(content));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
