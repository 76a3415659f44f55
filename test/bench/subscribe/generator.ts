// Writes events of many leads into a file log, so many a second; each says when it was written.
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const { BENCH_FOLDER, BENCH_LEADS, BENCH_PER_S, BENCH_SECONDS } = process.env;
const [leads, perSecond, seconds] = [BENCH_LEADS, BENCH_PER_S, BENCH_SECONDS].map(Number) as [
  number,
  number,
  number,
];
const TICK_MS = 20;
const file = join(BENCH_FOLDER as string, "omni.lead", "0.ndjson");
let events = 0;

const line = (lead: number, event: string, data: object): string => {
  const leadId = `lead-${lead}`;
  const value = {
    id: `e-${events++}`,
    event,
    occurredAt: "2026-03-01T00:00:00Z",
    workspaceId: "ws",
    leadId,
    data,
  };
  return `${JSON.stringify({ key: leadId, timestamp: Date.now(), value })}\n`;
};

mkdirSync(join(BENCH_FOLDER as string, "omni.lead"), { recursive: true });
let lines = "";
for (let lead = 0; lead < leads; lead++) lines += line(lead, "lead.created", { firstName: "María" });
appendFileSync(file, lines);
process.send?.("ready");
process.once("message", async () => {
  let told = 0;
  /** When the last round began, in which every lead changed once more. */
  let lastRound = 0;
  for (let next = performance.now(); told < seconds * perSecond; next += TICK_MS) {
    lines = "";
    // The clock of all processes of this machine, in milliseconds and parts of them.
    const at = performance.timeOrigin + performance.now();
    const now = String(at);
    if (lastRound === 0 && told >= seconds * perSecond - leads) lastRound = at;
    for (let one = 0; one < (perSecond * TICK_MS) / 1_000; one++)
      lines += line(told++ % leads, "lead.updated", { activitySummary: now });
    appendFileSync(file, lines);
    await delay(Math.max(0, next + TICK_MS - performance.now()));
  }
  process.send?.({ told, lastRound });
});
