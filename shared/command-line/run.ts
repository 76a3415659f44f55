// Runs one command: `lead-view <command>`. Loads that command's module, and nothing of the others.
import { CommanderError } from "commander";
import { UsageError } from "./command.ts";
import { explain } from "./explain.ts";
import { program } from "./program.ts";
import { printable } from "./terminal.ts";

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
