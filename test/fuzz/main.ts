// `npm run fuzz [-- --records N] [--requests N] [--client-records N] [--seed N]`: wrong records for the decoder and the
// fold, some of them by way of a broker and real clients, and wrong requests for the API. Exits with 1 where anything was
// found.
import { parseArgs } from "node:util";
import { table } from "../bench/table.ts";
import { openApi } from "../harness/api.ts";
import { findBroker, startBroker } from "../harness/broker/find-broker.ts";
import { createSpeaker } from "../harness/events.ts";
import { fuzzClients } from "./clients.ts";
import { type DecoderFindings, fuzzDecoder } from "./decoder.ts";
import { fuzzHttp } from "./http.ts";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    requests: { type: "string", default: "50000" },
    "client-records": { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
  },
});
const seed = Number(values.seed);

const decoder = fuzzDecoder(Number(values.records), seed);
report("records became", decoder);
const clients = await throughBroker(Number(values["client-records"]));
if (clients) report(`records of ${clients.clients.join(", ")} became`, clients);
const http = await throughApi(Number(values.requests));
table(["requests were answered with", "count"], sorted(http.statuses));

const crashes = [...decoder.crashes, ...(clients?.crashes ?? [])];
const altered = [...decoder.altered, ...(clients?.altered ?? [])];
const findings = [...crashes, ...altered, ...http.breaches];
for (const finding of findings.slice(0, 20)) console.error(finding.slice(0, 2_000));
if (findings.length > 0) process.exitCode = 1;
console.log(
  JSON.stringify({
    records: decoder.records + (clients?.records ?? 0),
    crashes: crashes.length,
    altered: altered.length,
    requests: http.requests,
    undocumented: http.breaches.length,
  }),
);

function report(title: string, { outcomes, probes, altered: wrong }: DecoderFindings): void {
  table([title, "count"], sorted(outcomes));
  console.log(
    `${probes} values that passed through were compared with their source text, ${wrong.length} differ\n`,
  );
}

/** Without a broker this part is left out, and says so. */
async function throughBroker(records: number) {
  const kind = await findBroker();
  if (!kind) return undefined;
  const broker = await startBroker(kind);
  try {
    return await fuzzClients(broker.brokers, records, seed);
  } finally {
    await broker.stop();
  }
}

async function throughApi(requests: number) {
  const api = openApi();
  try {
    const { say } = createSpeaker();
    const leadIds = ["lead-1", "lead-2", "ünïcode"];
    api.projector.foldBatch(leadIds.map((leadId) => say({ leadId, event: "lead.created" })));
    const { port } = new URL(await api.server.listen({ port: 0, host: "127.0.0.1" }));
    const target = { port: Number(port), key: api.key, leadIds: leadIds.map(encodeURIComponent) };
    return await fuzzHttp(target, requests, seed);
  } finally {
    await api.close();
  }
}

function sorted(counts: Readonly<Record<string, number>>): [string, string][] {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => [name, String(count)]);
}
