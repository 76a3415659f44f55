// `npm run produce -- --from DIR`: writes an archive, such as shared/example, into the event topics by key.
import { parseArgs } from "node:util";
import { type Config, readConfig } from "../../../shared/config.ts";
import { createLog } from "../../../shared/log.ts";
import { createDecoder } from "../../decode/decode.ts";
import { createWorkspaceOf, type WorkspaceOf } from "../../decode/workspace-of.ts";
import { hopeless } from "./client.ts";
import { produceArchive } from "./produce.ts";

const USAGE = `usage: KAFKA_BROKERS=host:port npm run produce -- --from DIR

Writes an archive (<topic>/<partition>.ndjson) into the event topics, by key; by workspace where WORKSPACE_PARTITIONS is
set, or SHARD says that there are several. Run again, it writes what is not there yet.
Exit codes: 0 all is there, 1 failed (run it again to go on), 2 wrong usage.`;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      options: { from: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const settings = readConfig(process.env);
    const { kafka: config } = settings;
    if (!config || !values.from) {
      console.error(USAGE);
      return 2;
    }
    const { written, there } = await produceArchive(config, values.from, createLog("projector", "warn"), {
      workspaceOf: byWorkspace(settings),
    });
    const before = there === 0 ? "" : `; ${there} were there already`;
    console.log(`${written} records written to ${config.brokers.join(",")}${before}`);
    return 0;
  } catch (error) {
    const wrongUsage = (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS");
    const { message } = hopeless(error) ?? (error as Error);
    console.error(wrongUsage ? message : `can't write to Kafka: ${message}`);
    return wrongUsage ? 2 : 1;
  }
}

/** Undefined where the topics are partitioned by key. */
function byWorkspace({ workspacePartitions, shard, ...config }: Config): WorkspaceOf | undefined {
  if (workspacePartitions === undefined && shard.count === 1) return undefined;
  // Where a record is to go is asked here, not whether it is there.
  return createWorkspaceOf(createDecoder({ ...config, workspacePartitions: undefined }));
}
