import { readFileSync } from "node:fs";
import { Command, type OutputConfiguration } from "commander";
import type { CommandModule } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { printable } from "./terminal.ts";

const ROOT = new URL("../../", import.meta.url);

/** Where help and complaints go: nothing in them steers a terminal. */
const OUTPUT: OutputConfiguration = {
  writeOut: (text) => process.stdout.write(printable(text)),
  writeErr: (text) => process.stderr.write(printable(text)),
  outputError: (text, write) => write(text.replace(/^error: /, "lead-view: ")),
};

/**
 * All commands by name, of which the called one's module is loaded, and knows what it takes.
 * @returns a program that throws CommanderError where it would end the process
 */
export async function program(
  called: string | undefined,
  output: OutputConfiguration = {},
): Promise<Command> {
  const all = new Command("lead-view")
    .description("Folds lead, checklist, document and action-log events into one view a lead, and serves it.")
    .usage("<command> [options]")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this")
    .helpCommand(false)
    .addHelpText(
      "after",
      "\nExample:\n  npx lead-view start\n\nnpx lead-view <command> --help tells what a command takes.",
    )
    .showHelpAfterError("(--help tells what it takes)")
    .exitOverride()
    .configureOutput({ ...OUTPUT, ...output });
  for (const { name, summary, module } of COMMANDS) {
    const command = all
      .command(name)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .summary(summary)
      .helpOption("-h, --help", "print this")
      .helpCommand(false);
    if (name === called) ((await import(new URL(module, ROOT).href)) as CommandModule).register(command);
  }
  return all;
}

function version(): string {
  return (JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")) as { version: string }).version;
}
