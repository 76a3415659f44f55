// Archives of sizes as life has them, and what a failure in the middle leaves.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { archive } from "../../../projector/rebuild/archive.ts";
import { createKafkaSource } from "../../../projector/source/kafka/kafka-source.ts";
import { produceArchive } from "../../../projector/source/kafka/produce.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { envOf, openCluster, silent, testConfig } from "../../harness/kafka.ts";

/** Of today: the topics here have the broker's own retention, which would delete older records in the middle of a test. */
const PRODUCED_AT = Date.now();

describe.skipIf(inject("brokers") === "")("produce and archive", () => {
  let folder: string;
  let config: ReturnType<typeof testConfig>;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "produce-"));
    config = testConfig();
    cluster = await openCluster(config, 3);
  });
  afterEach(async () => {
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const write = (topic: string, lines: readonly object[]) => {
    mkdirSync(join(folder, "in", topic), { recursive: true });
    appendFileSync(
      join(folder, "in", topic, "0.ndjson"),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
  };
  const line = (key: string, bytes: number) => ({
    key,
    timestamp: PRODUCED_AT,
    headers: { h: "x" },
    value: { text: randomBytes(bytes / 2).toString("hex") },
  });
  const countOf = async (topic: string) => {
    const offsets = await cluster.admin.fetchTopicOffsets(config.topics.get(topic) as string);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  };
  const limit = (topic: string, bytes: number) =>
    cluster.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: 2,
          name: config.topics.get(topic) as string,
          configEntries: [{ name: "max.message.bytes", value: String(bytes) }],
        },
      ],
    });
  const history = () =>
    createKafkaSource(
      { ...config, groupId: `${config.groupId}-${randomBytes(4).toString("hex")}`, temporaryGroup: true },
      silent,
    );
  const linesOf = (out: string, topic: string) =>
    [0, 1, 2].flatMap((partition) =>
      readFileSync(join(out, topic, `${partition}.ndjson`), "utf8")
        .split("\n")
        .filter(Boolean),
    );

  test("5,000 logs of one lead and records of a megabyte are written, and what failed is gone on with, not doubled", async () => {
    write(
      "omni.action_log",
      Array.from({ length: 5_000 }, () => line("lead-1", 2_000)),
    );
    write(
      "omni.lead",
      Array.from({ length: 20 }, (_, lead) => line(`lead-${lead}`, 200)),
    );
    write(
      "omni.document",
      Array.from({ length: 8 }, (_, lead) => line(`lead-${lead}`, 1_000_000)),
    );
    write("omni.document", [line("lead-1", 2_600_000)]);
    await expect(produceArchive(config, join(folder, "in"), silent)).rejects.toThrow(
      /omni.document\/0, offset 8: \d+ bytes are more than topic .* takes; raise its max.message.bytes/,
    );
    await limit("omni.document", 4_000_000);
    const before =
      (await countOf("omni.action_log")) + (await countOf("omni.lead")) + (await countOf("omni.document"));
    // Somebody else writes meanwhile.
    await cluster.producer.send({
      topic: config.topics.get("omni.lead") as string,
      messages: [{ key: "lead-1", value: "{}" }],
    });
    expect(await produceArchive(config, join(folder, "in"), silent)).toEqual({
      written: 5_029 - before,
      there: before,
    });
    expect(await produceArchive(config, join(folder, "in"), silent)).toEqual({ written: 0, there: 5_029 });
    expect(await countOf("omni.action_log")).toBe(5_000);
    expect(await countOf("omni.lead")).toBe(21);
    expect(await countOf("omni.document")).toBe(9);
    const out = join(folder, "out");
    expect(await archive(history(), out)).toBe(5_030);
    const values = linesOf(out, "omni.action_log").map((text) => JSON.parse(text).value.text);
    const given = readFileSync(join(folder, "in/omni.action_log/0.ndjson"), "utf8")
      .split("\n")
      .filter(Boolean);
    expect(values).toEqual(given.map((text) => JSON.parse(text).value.text));
  });

  test("an archive that was cut off in the middle of a line is gone on with; another log's is refused", async () => {
    write(
      "omni.lead",
      Array.from({ length: 300 }, (_, lead) => line(`lead-${lead}`, 20_000)),
    );
    await produceArchive(config, join(folder, "in"), silent);
    const out = join(folder, "out");
    await archive(history(), out);
    const whole = [0, 1, 2].map((partition) => readFileSync(join(out, `omni.lead/${partition}.ndjson`)));
    for (const [partition, bytes] of whole.entries())
      truncateSync(join(out, `omni.lead/${partition}.ndjson`), Math.floor((bytes.length * partition) / 3));
    await archive(history(), out);
    expect([0, 1, 2].map((partition) => readFileSync(join(out, `omni.lead/${partition}.ndjson`)))).toEqual(
      whole,
    );
    expect(await archive(history(), out)).toBe(0);
    const [first] = linesOf(out, "omni.lead");
    const other = JSON.parse(first as string);
    other.value.text = "another";
    writeFileSync(join(out, "omni.lead/0.ndjson"), `${JSON.stringify(other)}\n`);
    await expect(archive(history(), out)).rejects.toThrow(/not the one|another/);
  });

  test.each([
    ["produce", ["--from", "/nonexistent"], 1, /no such folder/],
    ["produce", ["--from", "package.json"], 1, /is a file/],
    ["produce", ["--from", "test/harness"], 1, /no records/],
    ["produce", ["--form", "x"], 2, /--form/],
    ["produce", ["--help"], 0, /Usage: lead-view produce/],
    ["topics", ["--partitions", "6"], 4, /differs .*3 partitions, not 6/],
    ["topics", ["--partitions", "x"], 2, /whole number/],
    ["archive", ["--out", "package.json"], 1, /is a file/],
    ["archive", ["--out", "test/harness"], 1, /is no archive/],
    ["archive", [], 2, /--out/],
  ])("%s %j ends with %i and says why", (command, args, code, said) => {
    const env = {
      ...process.env,
      ...envOf(config),
    };
    const ran = spawnSync(process.execPath, [LEAD_VIEW, command, ...args], {
      env,
      encoding: "utf8",
    });
    expect(`${ran.stdout}${ran.stderr}`).toMatch(said);
    expect(ran.status).toBe(code);
    expect(ran.stderr).not.toContain("TimeoutNegativeWarning");
  });
});
