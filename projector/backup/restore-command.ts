import type { Command } from "commander";
import { does } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { text } from "../../shared/command-line/values.ts";

const HELP = `Into a DATABASE_DIR without views, keys and endpoints; needs the event log, of which it folds what came behind the backup before
anything is served: what was erased since stays erased. The folder hands nothing on until you say so.`;

export function register(command: Command): void {
  does<{ from: string }>(command.requiredOption("--from <folder>", "a backup's folder", text), {
    example: "restore --from backups/monday",
    help: HELP,
    async run({ from }) {
      const config = await commandSettings();
      const [{ restore }, { createLog }] = await Promise.all([
        import("./restore.ts"),
        import("../../shared/log.ts"),
      ]);
      const done = await restore(config, from, createLog("projector", "warn"));
      return {
        json: { folder: config.databaseDir, ...done },
        lines: [
          `${done.views} views are in ${config.databaseDir}/: the backup of ${done.madeAt}, and ${done.folded} records behind it`,
          "Check them: npx lead-view verify. Where this folder is to hand changes on, and no other does:",
          "npx lead-view webhooks resume, and npx lead-view relays resume.",
          ...(config.kafka === undefined
            ? [
                "Keys that were revoked since the backup are good again: npx lead-view keys list, and revoke them.",
              ]
            : []),
        ],
      };
    },
  });
}
