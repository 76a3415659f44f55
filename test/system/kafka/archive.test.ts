import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { createFileLog } from "../../../projector/source/file-log/file-log.ts";
import { openStore } from "../../../projector/store/store.ts";
import { generateHistory } from "../../generate/history.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { createSpeaker } from "../../harness/events.ts";
import { envOf, openCluster, startProjector, testConfig } from "../../harness/kafka.ts";
import { bytesOf, deadLettersOf, foldLog } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

describe.skipIf(inject("brokers") === "")("topics, produce and archive", () => {
  test("the commands create the topics, fill them, and dump them; the archive gives byte-identical views", async () => {
    const folder = mkdtempSync(join(tmpdir(), "archive-"));
    const config = testConfig();
    const env = {
      ...process.env,
      ...envOf(config),
    };
    const run = (...args: string[]) =>
      execFileSync(process.execPath, [LEAD_VIEW, ...args], {
        env,
        encoding: "utf8",
        stdio: "pipe",
      });
    expect(run("topics", "--partitions", "3")).toContain(`created  ${config.deadLetterTopic}`);
    expect(run("topics")).toMatch(new RegExp(`^exists +${config.deadLetterTopic}`, "m"));
    expect(run("produce", "--from", "shared/example")).toContain("16 records written");

    const cluster = await openCluster({
      ...config,
      topics: new Map(),
      deadLetterTopic: `${config.deadLetterTopic}-2`,
      leadViewTopic: `${config.leadViewTopic}-2`,
    });
    const { record } = createSpeaker();
    const generated = [...generateHistory({ leads: 100, seed: 5, records: 2_000 })].map(
      ({ topic, leadId, timestamp, value }) =>
        record(topic, {
          key: Buffer.from(leadId),
          timestamp,
          value: value === null ? null : Buffer.from(value),
          partition: 1,
        }),
    );
    const bad = record("omni.lead", { value: Buffer.from([0, 255]), key: Buffer.from([254]), partition: 2 });
    const pretty = record("omni.lead", { value: Buffer.from('{\n "not": "an event" }'), partition: 2 });
    const named = { ...cluster };
    for (const [topic, name] of config.topics) {
      const messages = [...generated, bad, pretty].filter((one) => one.topic === topic);
      await named.producer.send({
        topic: name,
        messages: messages.map(({ key, value, partition, timestamp }) => ({
          key,
          value,
          partition,
          timestamp: String(timestamp),
        })),
      });
    }
    const projector = startProjector(config, join(folder, "views.sqlite"));
    await until(
      "all folded",
      () => [...config.topics.keys()].reduce((sum, topic) => sum + projector.folded(topic), 0) === 2_018,
    );

    const out = join(folder, "archive");
    expect(run("archive", "--out", out)).toContain("2018 records written below");
    const store = openStore(":memory:");
    await foldLog(store, createFileLog(out));
    expect(bytesOf(store)).toEqual(bytesOf(projector.store));
    expect(deadLettersOf(store).map(({ offset, code, value }) => [offset, code, value])).toEqual(
      deadLettersOf(projector.store).map(({ offset, code, value }) => [offset, code, value]),
    );
    expect(deadLettersOf(store)).toHaveLength(2);
    store.close();
    await projector.stop();
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
