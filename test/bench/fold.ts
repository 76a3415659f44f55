// `npm run bench:fold`: how fast a history is folded, next to only reading and parsing the same files; what one event costs
// in a lead with much in it, next to one with little (rule: cost); and what a trickle of events costs the processor and
// the disk. Every ratio is between two runs of the same minute, turn and turn about.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createFileLog } from "../../projector/source/file-log/file-log.ts";
import { startCheckpointer } from "../../projector/store/checkpointer.ts";
import { openStore } from "../../projector/store/store.ts";
import { writeHistory } from "../generate/write-history.ts";
import { foldLog } from "../harness/projector.ts";
import { type Burden, costOfOneEvent } from "./fold/one-event.ts";
import { trickle } from "./fold/trickle.ts";
import { parseOnlySeconds } from "./parse-only.ts";
import { table } from "./table.ts";

const RECORDS = 200_000;
const ROUNDS = 3;
/** Threads that fold beside the writer's, where more than one does. */
const THREADS = availableParallelism();
const folder = mkdtempSync(join(tmpdir(), "bench-fold-"));

try {
  const history = writeHistory(join(folder, "log"), { leads: 1e9, seed: 1, partitions: 4, records: RECORDS });
  const parse: number[] = [];
  const one: number[] = [];
  const all: number[] = [];
  // Turn and turn about, so that the machine's moods meet both; the best of each counts.
  for (let round = 0; round < ROUNDS; round++) {
    parse.push(parseOnlySeconds(history.files));
    one.push(await foldHistory(join(folder, "log"), join(folder, `${round}-one.sqlite`), 1));
    all.push(await foldHistory(join(folder, "log"), join(folder, `${round}-all.sqlite`), THREADS));
  }
  const parseRate = RECORDS / Math.min(...parse);
  const oneRate = RECORDS / Math.min(...one);
  const allRate = RECORDS / Math.min(...all);
  const heavyLead = ratio("followUps", 10_000, 100);
  const heavyToolCalls = ratio("toolCalls", 10_000, 100);
  const manyDocuments = ratio("documents", 2_000, 100);
  // Beyond 200 an identity is a placeholder, and cheap: the most is just below.
  const others = [ratio("items", 2_000, 100), ratio("links", 2_000, 100), ratio("matching", 190, 100)];
  const trickled = trickle(join(folder, "trickle.sqlite"));
  table(
    ["what", "value"],
    [
      [
        "history",
        `${history.records} events, ${(history.bytes / 1e6).toFixed(0)} MB, ${history.files.length} files`,
      ],
      ["read and JSON.parse only", `${Math.round(parseRate)} events/s, one core`],
      ["fold, assemble and store, one thread", `${Math.round(oneRate)} events/s`],
      ["ratio (aim: 0.20 or more)", (oneRate / parseRate).toFixed(3)],
      [`the same, ${THREADS} threads beside the writer's`, `${Math.round(allRate)} events/s`],
      ["ratio (aim: 0.35 or more)", (allRate / parseRate).toFixed(3)],
      ...[heavyLead, heavyToolCalls, manyDocuments, ...others].map(({ what, light, heavy, ratio }) => [
        what,
        `${light.toFixed(0)} and ${heavy.toFixed(0)} µs: ${ratio.toFixed(2)} (aim: 2 or less), committed by itself`,
      ]),
      ["trickle", trickled.what],
      ["processor", `${trickled.cpuUs.toFixed(0)} µs an event (aim: 200 or less)`],
      ["write-ahead log", `${trickled.walKib.toFixed(1)} KiB an event (aim: 40 or less)`],
    ],
  );
  console.log(
    JSON.stringify({
      foldRatio: round3(allRate / parseRate),
      oneWorkerRatio: round3(oneRate / parseRate),
      heavyLeadRatio: round3(heavyLead.ratio),
      heavyToolCallsRatio: round3(heavyToolCalls.ratio),
      manyDocumentsRatio: round3(manyDocuments.ratio),
      trickleCpuUs: Math.round(trickled.cpuUs),
      trickleWalKib: round3(trickled.walKib),
    }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What one event costs in a lead with many of something, and in one with few. */
function ratio(burden: Burden, many: number, few: number) {
  const light = costOfOneEvent(join(folder, `${burden}-${few}.sqlite`), burden, few);
  const heavy = costOfOneEvent(join(folder, `${burden}-${many}.sqlite`), burden, many);
  return { what: `one event, ${few} and ${many} ${burden}`, light, heavy, ratio: heavy / light };
}

async function foldHistory(log: string, database: string, count: number): Promise<number> {
  const store = openStore(database);
  const checkpointer = startCheckpointer(database);
  const start = performance.now();
  const threads = { count, from: 0, workspacePartitions: undefined };
  await foldLog(store, createFileLog(log), { threads });
  const elapsed = (performance.now() - start) / 1_000;
  await checkpointer.stop();
  store.close();
  return elapsed;
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
