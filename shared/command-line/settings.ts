import type { Config } from "../config.ts";
import { printable } from "./terminal.ts";

/**
 * The settings for a command, with a word on stderr about those that look mistyped. Loaded when they are asked for, so that
 * `--help` does not wait for what checks them.
 * @throws ConfigError naming the setting and what it takes
 */
export async function commandSettings(): Promise<Config> {
  const [{ readConfig }, { mistypedSettings }] = await Promise.all([
    import("../config.ts"),
    import("../mistyped-settings.ts"),
  ]);
  for (const { name, nearest } of mistypedSettings(process.env))
    process.stderr.write(printable(`lead-view: ${name} is no setting; is ${nearest} meant?\n`));
  return readConfig(process.env);
}
