import type { Command } from "commander";
import { does } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { text } from "../../shared/command-line/values.ts";

const HELP = `Copies the serving views with their discarded dead letters, the keys and the endpoints of webhooks, while all of them are in
use. The event log is not copied (npx lead-view archive does that of Kafka). The folder holds persons' data and secrets: it is
this user's alone, and so should be wherever it goes.`;

export function register(command: Command): void {
  does<{ out: string }>(command.requiredOption("--out <folder>", "a folder that is not there yet", text), {
    example: "backup --out backups/monday",
    help: HELP,
    async run({ out }) {
      const config = await commandSettings();
      const { backup } = await import("./backup.ts");
      const manifest = await backup(config, out);
      const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
      const names = manifest.files.map(({ name }) => name).join(", ");
      return {
        json: { folder: out, ...manifest },
        lines: [
          `${manifest.views} views saved to ${out}/ (${names}; ${(bytes / 2 ** 20).toFixed(1)} MiB)`,
          "Check it now and then where it does no harm: DATABASE_DIR=try npx lead-view restore --from it, then verify.",
        ],
      };
    },
  });
}
