// `npm run fuzz [-- --records N] [--requests N] [--seed N]`: wrong records for the decoder and the fold, wrong requests
// for the API. Exits with 1 where anything was found.
import { parseArgs } from "node:util";
import { table } from "../bench/table.ts";
import { openApi } from "../harness/api.ts";
import { createSpeaker } from "../harness/events.ts";
import { fuzzDecoder } from "./decoder.ts";
import { fuzzHttp } from "./http.ts";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    requests: { type: "string", default: "50000" },
    seed: { type: "string", default: "1" },
  },
});
const seed = Number(values.seed);
const decoder = fuzzDecoder(Number(values.records), seed);
table(["records became", "count"], sorted(decoder.outcomes));

const api = openApi();
const { say } = createSpeaker();
const leadIds = ["lead-1", "lead-2", "ünïcode"];
api.projector.foldBatch(leadIds.map((leadId) => say({ leadId, event: "lead.created" })));
const address = new URL(await api.server.listen({ port: 0, host: "127.0.0.1" }));
const http = await fuzzHttp(
  { port: Number(address.port), key: api.key, leadIds: leadIds.map(encodeURIComponent) },
  Number(values.requests),
  seed,
);
await api.close();
table(["requests were answered with", "count"], sorted(http.statuses));

for (const finding of [...decoder.crashes, ...http.breaches].slice(0, 20))
  console.error(finding.slice(0, 2_000));
if (decoder.crashes.length + http.breaches.length > 0) process.exitCode = 1;
console.log(
  JSON.stringify({
    decoderRecords: decoder.records,
    decoderCrashes: decoder.crashes.length,
    httpRequests: http.requests,
    rawConnections: http.connections,
    httpBreaches: http.breaches.length,
  }),
);

function sorted(counts: Readonly<Record<string, number>>): [string, string][] {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => [name, String(count)]);
}
