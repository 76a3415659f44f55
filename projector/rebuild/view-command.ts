import { type Command, InvalidArgumentError } from "commander";
import { does, type Outcome, UsageError } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { table } from "../../shared/command-line/terminal.ts";
import { text } from "../../shared/command-line/values.ts";
import type { Config } from "../../shared/config.ts";
import { parseJson } from "../../shared/events/exact-json.ts";
import type { Decode } from "../decode/decode.ts";
import { normalizeTime } from "../decode/times.ts";
import { recordValue } from "../source/record-value.ts";
import { type Position, recordPosition, recordPositionName, type Source } from "../source/source.ts";
import type { Moment } from "./time-travel.ts";

export function register(command: Command): void {
  does<{ lead: string; at?: Moment; events?: true }>(
    command
      .requiredOption("--lead <id>", "the lead", text)
      .option("--at <moment>", "its view as it was: at a time, or behind topic/partition/offset", momentOf)
      .option(
        "--events",
        "the records that speak of it, and what became of each; with --json also what they say",
      ),
    {
      example: "view --lead a9d0a790-201b-47e9-84ed-cc7eed1270c5 --events",
      help: "Reads the log, and changes nothing. What a record says may be a person's data.",
      async run({ lead, at, events }) {
        if ((at === undefined) === (events === undefined))
          throw new UsageError("it takes one of --at and --events");
        const config = await commandSettings();
        return at ? viewThen(config, lead, at) : eventsOf(config, lead);
      },
    },
  );
}

/** Opens what was folded up to now, and the log that it was folded from. */
async function withHistory<T>(
  config: Config,
  work: (source: Source, decode: Decode, upTo: readonly Position[]) => Promise<T>,
): Promise<T> {
  const [
    { openStoreToRead },
    { openHistorySource },
    { withWorkspacePartitions },
    { createDecoder },
    { createLog },
  ] = await Promise.all([
    import("../store/store.ts"),
    import("../source/open-source.ts"),
    import("../source/kafka/workspace-partitions.ts"),
    import("../decode/decode.ts"),
    import("../../shared/log.ts"),
  ]);
  const store = openStoreToRead(config);
  try {
    const log = createLog("projector", "warn");
    const source = openHistorySource(config, log);
    const decode = createDecoder(await withWorkspacePartitions(config, log));
    return await work(source, decode, store.positions.all());
  } finally {
    store.close();
  }
}

async function viewThen(config: Config, leadId: string, moment: Moment): Promise<Outcome> {
  const { viewAt } = await import("./time-travel.ts");
  const body = await withHistory(config, (source, decode, upTo) =>
    viewAt(source, decode, upTo, leadId, moment),
  );
  if (body === null) throw new Error(`lead ${leadId} had no view then`);
  const view = parseJson(body);
  return {
    json: view,
    lines: JSON.stringify(view, null, 2).split("\n"),
    note: "matchingLeads depend on other leads and are left empty",
  };
}

async function eventsOf(config: Config, leadId: string): Promise<Outcome> {
  const { createLeadFold, inOrder, leadHistory, noRecordOf } = await import("./lead-history.ts");
  const records = await withHistory(config, (source, decode, upTo) =>
    leadHistory(source, decode, upTo, leadId),
  );
  if (records.length === 0) throw new Error(noRecordOf(leadId));
  const fold = createLeadFold(leadId);
  const events = inOrder(records).map((one) => ({ ...one, ...fold.apply(one) }));
  const rows = events.map(({ record, time, outcome, code }) => [
    recordPositionName(record),
    time,
    eventNameOf(record.value),
    code === undefined ? outcome : `${outcome} (${code})`,
  ]);
  return {
    json: events.map(({ record: { topic, partition, offset, value }, time, outcome, code }) => ({
      topic,
      partition,
      offset,
      time,
      outcome,
      ...(code === undefined ? {} : { deadLetter: code }),
      value: recordValue(value),
    })),
    lines: table(["position", "time", "event", "outcome"], rows, ""),
  };
}

function eventNameOf(value: Buffer | null): string {
  if (value === null) return "(tombstone)";
  const { event } = (recordValue(value) ?? {}) as { event?: unknown };
  return typeof event === "string" ? event : "";
}

function momentOf(text: string): Moment {
  const position = recordPosition(text);
  if (position) return position;
  if (Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError(
      "It takes a time such as 2026-02-01T12:00:00Z, or topic/partition/offset.",
    );
  return { time: normalizeTime(new Date(text).toISOString()) };
}
