// `npm run view -- --lead ID --at TIME|TOPIC/PARTITION/OFFSET`: a lead's view as it was, for support.
// `npm run view -- --lead ID --events`: the records that speak of it, one JSON object a line, in the order of their times,
// each with what became of it: folded, repeated, dropped or dead_letter.
import { parseArgs } from "node:util";
import { readConfig } from "../../shared/config.ts";
import { parseJson } from "../../shared/events/exact-json.ts";
import { createLog } from "../../shared/log.ts";
import { createDecoder } from "../decode/decode.ts";
import { normalizeTime } from "../decode/times.ts";
import { openHistorySource } from "../source/open-source.ts";
import type { Position, Source } from "../source/source.ts";
import { openStoreToRead } from "../store/store.ts";
import { createLeadFold, inOrder, leadHistory, noRecordOf } from "./lead-history.ts";
import { recordValue } from "./lead-steps.ts";
import { type Moment, viewAt } from "./time-travel.ts";

const USAGE = "usage: npm run view -- --lead ID (--at TIME|TOPIC/PARTITION/OFFSET | --events)";

const { values } = parseArgs({
  options: { lead: { type: "string" }, at: { type: "string" }, events: { type: "boolean", default: false } },
});
const moment = momentOf(values.at ?? "");
const config = readConfig(process.env);

if (!values.lead || (!moment && !values.events)) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  process.exitCode = await print(values.lead).catch((error: Error) => {
    console.error(error.message);
    return 1;
  });
}

async function print(leadId: string): Promise<number> {
  const store = openStoreToRead(config);
  try {
    const source = openHistorySource(config, createLog("projector", "warn"));
    const upTo = store.positions.all();
    return moment ? await printView(source, upTo, leadId, moment) : await printEvents(source, upTo, leadId);
  } finally {
    store.close();
  }
}

async function printView(
  source: Source,
  upTo: readonly Position[],
  leadId: string,
  moment: Moment,
): Promise<number> {
  const view = await viewAt(source, createDecoder(config), upTo, leadId, moment);
  if (view === null) {
    console.error("the lead had no view then");
    return 1;
  }
  console.log(JSON.stringify(parseJson(view), null, 2));
  console.error("matchingLeads depend on other leads and are left empty");
  return 0;
}

async function printEvents(source: Source, upTo: readonly Position[], leadId: string): Promise<number> {
  const records = await leadHistory(source, createDecoder(config), upTo, leadId);
  if (records.length === 0) {
    console.error(noRecordOf(leadId));
    return 1;
  }
  const fold = createLeadFold(leadId);
  for (const one of inOrder(records)) {
    const { outcome, code } = fold.apply(one);
    const { time, record } = one;
    const { topic, partition, offset, value } = record;
    console.log(
      JSON.stringify({
        topic,
        partition,
        offset,
        time,
        outcome,
        deadLetter: code,
        value: recordValue(value),
      }),
    );
  }
  return 0;
}

function momentOf(text: string): Moment | undefined {
  const position = /^(.+)\/(\d+)\/(\d+)$/.exec(text);
  if (position)
    return { topic: position[1] as string, partition: Number(position[2]), offset: Number(position[3]) };
  if (Number.isNaN(Date.parse(text))) return undefined;
  return { time: normalizeTime(new Date(text).toISOString()) };
}
