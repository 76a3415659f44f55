// What the doctor finds at a broker.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { examine } from "../../../projector/doctor/examine.ts";
import { readConfig } from "../../../shared/config.ts";
import { TOPICS } from "../../../shared/events/catalogue.ts";
import { generationFile } from "../../../shared/generation.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { openProjector } from "../../harness/projector.ts";

describe.skipIf(!inject("brokers"))("the doctor on Kafka", () => {
  const config = inject("brokers") ? testConfig() : (undefined as never);
  let folder: string;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "doctor-"));
    cluster = await openCluster(config, 1);
  });
  afterAll(async () => {
    await cluster?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const topics = async () => {
    const findings = await examine({ ...readConfig({ EVENT_LOG_DIR: folder }), kafka: config }, silent);
    return findings
      .filter(({ check }) => check === "topics")
      .map(({ state, says, todo }) => `${state}: ${says} → ${todo}`)
      .join("\n");
  };

  test("missing topics, limits, retention and a recreated topic are told apart, with what to do", async () => {
    const { say } = createSpeaker();
    const events = [1, 2, 3].map(() => say({ event: "lead.updated", data: {} }));
    const { foldBatch, close } = openProjector(generationFile(folder, 1));
    foldBatch(events);
    close();
    const name = config.topics.get(TOPICS.lead) as string;
    expect(await topics()).toMatch(
      /fail: omni\.lead\/0 ends at 0, but was folded up to 3.*→ RUNBOOK\.md, topic recreated/,
    );
    await cluster.produce([...events, ...events]);
    // kafkajs finds the partition's leader only once it has asked for the topic's offsets.
    await cluster.admin.fetchTopicOffsets(name);
    await cluster.admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: "5" }] });
    const overtaken = await topics();
    expect(overtaken).toMatch(
      /fail: omni\.lead\/0: retention overtook the projector: 2 records.*rebuild --from/,
    );
    expect(overtaken).toMatch(/warn: .*max\.message\.bytes \d+, not \d+/);
    await cluster.admin.deleteTopics({ topics: [config.topics.get(TOPICS.webhook) as string] });
    expect(await topics()).toMatch(/fail: there is no topic omni\.webhook-.* → npx lead-view topics/);
  });
});
