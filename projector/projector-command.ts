import type { Command } from "commander";
import { does } from "../shared/command-line/command.ts";

export function register(command: Command): void {
  does(command, {
    example: "projector",
    help: "Runs until it is stopped. Its log is one JSON object a line, with --json and without.",
    async run() {
      await import("./main.ts");
      return undefined;
    },
  });
}
