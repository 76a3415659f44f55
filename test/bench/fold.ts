// `npm run bench:fold`: how fast a history is folded, next to only reading and parsing the same files; and what one
// event costs in a lead with 10,000 action logs, next to one with 100 (rule: cost).
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDecoder } from "../../projector/decode/decode.ts";
import { createProjection } from "../../projector/projection/projection.ts";
import { runProjection } from "../../projector/projection/run.ts";
import { createFileLog } from "../../projector/source/file-log/file-log.ts";
import { startCheckpointer } from "../../projector/store/checkpointer.ts";
import { openStore } from "../../projector/store/store.ts";
import { createLog } from "../../shared/log.ts";
import { writeHistory } from "../generate/write-history.ts";
import { parseOnlySeconds } from "./parse-only.ts";
import { table } from "./table.ts";

const RECORDS = 200_000;
const ROUNDS = 3;
const decode = createDecoder({ maxEventBytes: 1_048_576, webhookWorkspaceId: undefined });
const folder = mkdtempSync(join(tmpdir(), "bench-fold-"));

try {
  const history = writeHistory(join(folder, "log"), { leads: 1e9, seed: 1, partitions: 4, records: RECORDS });
  const parse: number[] = [];
  const fold: number[] = [];
  // Turn and turn about, so that the machine's moods meet both; the best of each counts.
  for (let round = 0; round < ROUNDS; round++) {
    parse.push(parseOnlySeconds(history.files));
    fold.push(await foldHistory(join(folder, "log"), join(folder, `${round}.sqlite`)));
  }
  const parseRate = RECORDS / Math.min(...parse);
  const foldRate = RECORDS / Math.min(...fold);
  const light = costOfOneEvent(100);
  const heavy = costOfOneEvent(10_000);
  table(
    ["what", "value"],
    [
      [
        "history",
        `${history.records} events, ${(history.bytes / 1e6).toFixed(0)} MB, ${history.files.length} files`,
      ],
      ["read and JSON.parse only", `${Math.round(parseRate)} events/s`],
      ["fold, assemble and store", `${Math.round(foldRate)} events/s`],
      ["ratio (aim: 0.30 or more)", (foldRate / parseRate).toFixed(3)],
      ["one event, lead with 100 logs", `${light.toFixed(0)} µs, committed by itself`],
      ["one event, lead with 10,000 logs", `${heavy.toFixed(0)} µs, committed by itself`],
      ["ratio (aim: 2 or less)", (heavy / light).toFixed(3)],
    ],
  );
  console.log(
    JSON.stringify({ foldRatio: round3(foldRate / parseRate), heavyLeadRatio: round3(heavy / light) }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function foldHistory(log: string, database: string): Promise<number> {
  const store = openStore(database);
  const checkpointer = startCheckpointer(database);
  const start = performance.now();
  await runProjection(
    {
      source: createFileLog(log),
      projection: createProjection(store, decode),
      log: createLog("projector", "silent"),
      signal: new AbortController().signal,
    },
    { toEnd: true },
  );
  const elapsed = (performance.now() - start) / 1_000;
  await checkpointer.stop();
  store.close();
  return elapsed;
}

/** Microseconds that a committed action_log.updated takes in a lead with so many logs: the median of many. */
function costOfOneEvent(logs: number): number {
  const store = openStore(join(folder, `cost-${logs}.sqlite`));
  const projection = createProjection(store, decode);
  const offsets = new Map<string, number>();
  const fold = (topic: string, event: string, data: Record<string, unknown>) => {
    const offset = offsets.get(topic) ?? 0;
    offsets.set(topic, offset + 1);
    const occurredAt = "2026-03-01T00:00:00.000Z";
    const envelope = { id: `${topic}-${offset}`, event, occurredAt, workspaceId: "ws", leadId: "lead", data };
    const value = Buffer.from(JSON.stringify(envelope));
    projection.fold({
      topic,
      partition: 0,
      offset,
      key: Buffer.from("lead"),
      timestamp: 0,
      headers: {},
      value,
    });
    projection.advance([{ topic, partition: 0, nextOffset: offset + 1, last: null, cursor: null }]);
  };
  const log = (index: number) => ({
    id: `log-${index}`,
    type: "FOLLOW_UP_MESSAGE",
    status: "COMPLETED",
    summary: "A follow-up",
    createdAt: new Date(1_767_225_600_000 + index * 1_000).toISOString(),
    completedAt: new Date(1_767_225_600_000 + index * 1_000).toISOString(),
    messages: [
      { id: "m", channel: "SMS", direction: "OUTBOUND", body: "Hello there. ".repeat(10), documents: [] },
    ],
  });
  fold("omni.lead", "lead.created", { firstName: "Heavy" });
  for (let index = 0; index < logs; index++) fold("omni.action_log", "action_log.created", log(index));
  projection.commit();
  const times: number[] = [];
  for (let index = 0; index < 600; index++) {
    const start = performance.now();
    fold("omni.action_log", "action_log.updated", {
      id: `log-${(index * 17) % logs}`,
      summary: `Round ${index}`,
    });
    projection.commit();
    times.push((performance.now() - start) * 1_000);
  }
  store.close();
  return times.sort((a, b) => a - b)[times.length >> 1] as number;
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
