import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { BlockList, isIPv6 } from "node:net";
import { join } from "node:path";
import { secretBytes } from "./clock.ts";
import type { Config } from "./config.ts";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");

/** True for an address that only this machine reaches. */
const isLoopback = (host: string): boolean =>
  host === "localhost" || (isIPv6(host) ? LOOPBACK.check(host, "ipv6") : LOOPBACK.check(host));

/**
 * The key of the operator's page. Where none is set, a page that only this machine reaches has one of its own, kept in
 * a file that only this user can read.
 * @returns undefined where there is to be no page: on an address that others reach, it is to be asked for by a key
 */
export function opsKey({
  ops: { host, key },
  databaseDir,
}: Pick<Config, "ops" | "databaseDir">): string | undefined {
  if (key !== undefined) return key;
  if (!isLoopback(host)) return undefined;
  const file = join(databaseDir, "ops-key");
  const known = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (known !== "") return known;
  const made = secretBytes(18).toString("base64url");
  writeFileSync(file, `${made}\n`, { mode: 0o600 });
  return made;
}
