// `npm run view -- --lead ID --at TIME|TOPIC/PARTITION/OFFSET`: a lead's view as it was, for support.
import { parseArgs } from "node:util";
import { readConfig } from "../../shared/config.ts";
import { viewFile } from "../../shared/generation.ts";
import { createLog } from "../../shared/log.ts";
import { createDecoder } from "../decode/decode.ts";
import { normalizeTime } from "../decode/times.ts";
import { openHistorySource } from "../source/open-source.ts";
import { openStore } from "../store/store.ts";
import { type Moment, viewAt } from "./time-travel.ts";

const USAGE = "usage: npm run view -- --lead ID --at TIME|TOPIC/PARTITION/OFFSET";

const { values } = parseArgs({ options: { lead: { type: "string" }, at: { type: "string" } } });
const moment = momentOf(values.at ?? "");
const config = readConfig(process.env);

if (!values.lead || !moment) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  const store = openStore(viewFile(config));
  try {
    const source = openHistorySource(config, createLog("projector", "warn"));
    const view = await viewAt(source, createDecoder(config), store.positions.all(), values.lead, moment);
    if (view !== null) console.log(JSON.stringify(JSON.parse(view), null, 2));
    console.error(
      view === null ? "the lead had no view then" : "matchingLeads depend on other leads and are left empty",
    );
    process.exitCode = view === null ? 1 : 0;
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  } finally {
    store.close();
  }
}

function momentOf(text: string): Moment | undefined {
  const position = /^(.+)\/(\d+)\/(\d+)$/.exec(text);
  if (position)
    return { topic: position[1] as string, partition: Number(position[2]), offset: Number(position[3]) };
  if (Number.isNaN(Date.parse(text))) return undefined;
  return { time: normalizeTime(new Date(text).toISOString()) };
}
