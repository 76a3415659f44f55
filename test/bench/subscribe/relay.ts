// Changes many views in one commit, publishes them, and says how long it took until the topic had them all.
import { join } from "node:path";
import { publishViews } from "../../../projector/publish/view-topic.ts";
import { createKafka } from "../../../projector/source/kafka/client.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import { readConfig } from "../../../shared/config.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { createLog } from "../../../shared/log.ts";
import { prose } from "../../generate/content.ts";
import { createRandom } from "../../generate/random.ts";
import { createSpeaker } from "../../harness/events.ts";
import { keepViewsOfTopic } from "../../harness/kept-views.ts";
import { openProjector } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

const [views, bytes] = [Number(process.env["BENCH_VIEWS"]), Number(process.env["BENCH_BYTES"])];
const config = readConfig(process.env).kafka as KafkaConfig;
const projector = openProjector(join(process.env["DATABASE_DIR"] as string, "bench.sqlite"));
const speaker = createSpeaker();
const random = createRandom(1);

projector.foldBatch(
  Array.from({ length: views }, (_, lead) => {
    const activitySummary = prose(random, bytes);
    return speaker.say({ leadId: `lead-${lead}`, event: "lead.created", data: { activitySummary } });
  }),
);
const log = createLog("projector", "warn");
const kafka = createKafka(config, log);
const admin = kafka.admin();
await admin.connect();
const inTopic = async () => {
  const ends = await admin.fetchTopicOffsets(config.leadViewTopic);
  return ends.reduce((sum, { high }) => sum + Number(high), 0);
};
const stopping = new AbortController();
const from = performance.now();
const publishing = publishViews(config, projector.store, {
  log,
  signal: stopping.signal,
  tracing: passingOn,
});
await until("the topic to have them all", async () => (await inTopic()) >= views, 120_000);
const seconds = (performance.now() - from) / 1_000;
stopping.abort();
await publishing;
const kept = await keepViewsOfTopic(kafka, config.leadViewTopic, "bench");
const rows = projector.store.views.after(0, views);
const missing = () => rows.filter(({ leadId, number }) => kept.views.get(leadId)?.version !== number).length;
await until("a reader to have read it", () => missing() === 0, 60_000).catch(() => undefined);
process.send?.({ seconds, missing: missing() });
