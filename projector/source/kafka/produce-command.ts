import type { Command } from "commander";
import { does, UsageError } from "../../../shared/command-line/command.ts";
import { commandSettings } from "../../../shared/command-line/settings.ts";
import { text } from "../../../shared/command-line/values.ts";
import type { Config } from "../../../shared/config.ts";
import type { WorkspaceOf } from "../../decode/workspace-of.ts";

export function register(command: Command): void {
  does<{ from: string }>(
    command.requiredOption("--from <folder>", "an archive: <topic>/<partition>.ndjson", text),
    {
      example: "produce --from shared/example",
      help: "Needs KAFKA_BROKERS. Records go by their keys, or by their workspaces where WORKSPACE_PARTITIONS or SHARD says so, in the archive's order; run again, it writes what is not there yet.",
      async run({ from }) {
        const settings = await commandSettings();
        const { kafka } = settings;
        if (!kafka) throw new UsageError("set KAFKA_BROKERS to the brokers, such as localhost:9092");
        const [{ hopeless }, { produceArchive }, { createLog }] = await Promise.all([
          import("./client.ts"),
          import("./produce.ts"),
          import("../../../shared/log.ts"),
        ]);
        const done = await produceArchive(kafka, from, createLog("projector", "warn"), {
          workspaceOf: await byWorkspace(settings),
        }).catch((error) => {
          throw hopeless(error) ?? error;
        });
        const { written, there } = done;
        const before = there === 0 ? "" : `; ${there} were there already`;
        return { json: done, lines: [`${written} records written to ${kafka.brokers.join(",")}${before}`] };
      },
    },
  );
}

/** Undefined where the topics are partitioned by key. */
async function byWorkspace({
  workspacePartitions,
  shard,
  ...config
}: Config): Promise<WorkspaceOf | undefined> {
  if (workspacePartitions === undefined && shard.count === 1) return undefined;
  const [{ createDecoder }, { createWorkspaceOf }] = await Promise.all([
    import("../../decode/decode.ts"),
    import("../../decode/workspace-of.ts"),
  ]);
  // Where a record is to go is asked here, not whether it is there.
  return createWorkspaceOf(createDecoder({ ...config, workspacePartitions: undefined }));
}
