import type { Command } from "commander";
import { does } from "../command-line/command.ts";
import { printable } from "../command-line/terminal.ts";

const HELP = `Needs no other program running: the log is a folder of files, unless KAFKA_BROKERS is set. Without EVENT_LOG_DIR that is data/,
and an example's history is put into it; a folder of your own begins empty. Ctrl-C stops it.`;

export function register(command: Command): void {
  does<{ json?: true }>(command, {
    example: "start",
    help: HELP,
    async run({ json }) {
      const [{ startAll }, { welcome }] = await Promise.all([import("./start.ts"), import("./welcome.ts")]);
      await startAll((started) => {
        const text = json ? JSON.stringify(started, null, 2) : welcome(started);
        process.stdout.write(`${printable(text)}\n`);
      });
      return undefined;
    },
  });
}
