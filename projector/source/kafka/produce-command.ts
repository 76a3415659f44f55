import type { Command } from "commander";
import { does, UsageError } from "../../../shared/command-line/command.ts";
import { commandSettings } from "../../../shared/command-line/settings.ts";
import { text } from "../../../shared/command-line/values.ts";

export function register(command: Command): void {
  does<{ from: string }>(
    command.requiredOption("--from <folder>", "an archive: <topic>/<partition>.ndjson", text),
    {
      example: "produce --from shared/example",
      help: "Needs KAFKA_BROKERS. Records go by their keys, in the archive's order; run again, it writes what is not there yet.",
      async run({ from }) {
        const { kafka } = await commandSettings();
        if (!kafka) throw new UsageError("set KAFKA_BROKERS to the brokers, such as localhost:9092");
        const [{ hopeless }, { produceArchive }, { createLog }] = await Promise.all([
          import("./client.ts"),
          import("./produce.ts"),
          import("../../../shared/log.ts"),
        ]);
        const done = await produceArchive(kafka, from, createLog("projector", "warn")).catch((error) => {
          throw hopeless(error) ?? error;
        });
        const { written, there } = done;
        const before = there === 0 ? "" : `; ${there} were there already`;
        return { json: done, lines: [`${written} records written to ${kafka.brokers.join(",")}${before}`] };
      },
    },
  );
}
