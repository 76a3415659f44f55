import type { Command } from "commander";
import { does, UsageError } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { text } from "../../shared/command-line/values.ts";
import { createLog } from "../../shared/log.ts";
import { createProgress } from "./progress.ts";

export function register(command: Command): void {
  does<{ out: string }>(command.requiredOption("--out <folder>", "where the files go", text), {
    example: "archive --out archive",
    help: "Needs KAFKA_BROKERS. Writes all records of the event topics, byte for byte; a folder that holds a part of them is gone on with.",
    async run({ out }) {
      const config = await commandSettings();
      if (!config.kafka) throw new UsageError("set KAFKA_BROKERS to the brokers, such as localhost:9092");
      const [{ archive }, { endPositions }, { openWholeLog }] = await Promise.all([
        import("./archive.ts"),
        import("../source/kafka/end-offsets.ts"),
        import("../source/open-source.ts"),
      ]);
      const log = createLog("projector", "warn");
      const ends = await endPositions(config.kafka, log);
      const progress = createProgress(
        "archive",
        ends.reduce((sum, { nextOffset }) => sum + nextOffset, 0),
      );
      const records = await archive(openWholeLog(config, log), out, progress.update);
      progress.finish();
      return { json: { records, folder: out }, lines: [`${records} records written below ${out}/`] };
    },
  });
}
