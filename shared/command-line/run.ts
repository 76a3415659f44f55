// Runs one command: `lead-view <command>`. Loads that command's module, and nothing of the others.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { type CommandModule, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { explain } from "./explain.ts";
import { printable } from "./terminal.ts";

const ROOT = new URL("../../", import.meta.url);

/** Levels at which whoever mends the program wants to see where an error came from. */
const TELLING = new Set(["debug", "trace"]);

process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  // Whoever read it has read enough, as in `| head`.
  if (code === "EPIPE") process.exit();
});

try {
  await (await program(process.argv[2])).parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** All commands by name, of which the called one knows what it takes. */
async function program(called: string | undefined): Promise<Command> {
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
    .configureOutput({
      writeOut: (text) => process.stdout.write(printable(text)),
      writeErr: (text) => process.stderr.write(printable(text)),
      outputError: (text, write) => write(text.replace(/^error: /, "lead-view: ")),
    });
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

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    const { code } = error;
    // Commander has said it already. Without a command it printed the help, as an error.
    return code === "commander.helpDisplayed" || code === "commander.version" ? 0 : 2;
  }
  const where = TELLING.has(process.env.LOG_LEVEL ?? "") && error instanceof Error ? `\n${error.stack}` : "";
  process.stderr.write(printable(`lead-view: ${explain(error)}${where}\n`));
  return error instanceof UsageError ? 2 : 1;
}

function version(): string {
  return (JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")) as { version: string }).version;
}
