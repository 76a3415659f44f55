// Keys are in force on every node that follows their topic (rule: keys everywhere).
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { openKeysReader } from "../../../api/keys.ts";
import { changeKeys } from "../../../projector/keys/change-keys.ts";
import { followKeys } from "../../../projector/keys/follow-keys.ts";
import { type Config, keysFile, readConfig } from "../../../shared/config.ts";
import { createKey, hashKey, newKey, openKeys, revocation, rotation } from "../../../shared/keys.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { startKafkaProxy } from "../../harness/kafka-proxy.ts";
import { until } from "../../harness/wait.ts";

describe.skipIf(inject("brokers") === "")("keys of several nodes", () => {
  const kafka = testConfig();
  let folder: string;
  const nodes: { stop(): Promise<void> }[] = [];
  let cluster: Awaited<ReturnType<typeof openCluster>>;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "keys-test-"));
    cluster = await openCluster(kafka, 1);
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function openNode(name: string, brokers = kafka.brokers) {
    const databaseDir = join(folder, name);
    const config: Config = {
      ...readConfig({ DATABASE_DIR: databaseDir }),
      kafka: { ...kafka, brokers },
    };
    mkdirSync(databaseDir);
    openKeys(keysFile(config)).close();
    const reader = openKeysReader(keysFile(config));
    let stopping = new AbortController();
    let follower = followKeys(config, silent, stopping.signal);
    const node = {
      config,
      workspaceOf: reader.workspaceOf,
      isUpToDate: () => until(`${name} to be up to date`, () => follower.reason() === undefined),
      follow() {
        stopping = new AbortController();
        follower = followKeys(config, silent, stopping.signal);
      },
      async unfollow() {
        stopping.abort();
        await follower.ended;
      },
      async stop() {
        await node.unfollow();
        reader.close();
      },
    };
    nodes.push(node);
    return node;
  }
  const revoke = (config: Config, key: string) =>
    changeKeys(config, silent, (db) => ({ changes: revocation(db, hashKey(key).toString("hex")) }));

  test("one made, rotated or revoked on any node is so on all; what was revoked stays so, whatever a node brings along", async () => {
    const proxy = await startKafkaProxy(kafka.brokers[0] as string, () => undefined);
    const [a, b] = [openNode("a"), openNode("b", [proxy.brokers])];
    try {
      await Promise.all([a.isUpToDate(), b.isUpToDate()]);
      const { key } = await changeKeys(a.config, silent, () => newKey("ws-1", "made on a"));
      await until("the key on b", () => b.workspaceOf(key) === "ws-1");
      const rotated = await changeKeys(b.config, silent, (db) =>
        rotation(db, hashKey(key).toString("hex"), { oldExpiresAt: Date.now(), newExpiresAt: null }),
      );
      await until("the other key on a", () => a.workspaceOf(rotated.key) === "ws-1");
      await until("the end of the old one on a", () => a.workspaceOf(key) === undefined);
      const older = join(folder, "older.sqlite");
      await b.unfollow();
      const writer = openKeys(keysFile(b.config));
      writer.pragma("wal_checkpoint(TRUNCATE)");
      writer.close();
      cpSync(keysFile(b.config), older);
      // Cut off, b knows nothing of it; and an older copy of its keys still has the key.
      proxy.refuse(true);
      b.follow();
      await revoke(a.config, rotated.key);
      await until("the revoked key on a", () => a.workspaceOf(rotated.key) === undefined);
      expect(b.workspaceOf(rotated.key)).toBe("ws-1");
      proxy.refuse(false);
      await until("the revoked key on b", () => b.workspaceOf(rotated.key) === undefined);
      await b.isUpToDate();
      // Restored: with the key that was revoked meanwhile, and one that was made without Kafka.
      const restored = openKeys(older);
      const alone = createKey(restored, "ws-2", "made without Kafka");
      restored.pragma("wal_checkpoint(TRUNCATE)");
      restored.close();
      const d = openNode("d");
      await d.unfollow();
      const db = openKeys(keysFile(d.config));
      db.prepare("ATTACH ? AS older").run(older);
      db.exec("INSERT INTO api_key SELECT * FROM older.api_key");
      db.close();
      expect(d.workspaceOf(rotated.key)).toBe("ws-1");
      d.follow();
      await d.isUpToDate();
      await until("the revoked key on d", () => d.workspaceOf(rotated.key) === undefined);
      await until("the key of a time without Kafka on a", () => a.workspaceOf(alone) === "ws-2");
      // Whoever still thinks that it is good does not make it so.
      await cluster.producer.send({
        topic: kafka.keysTopic,
        messages: [
          {
            key: hashKey(rotated.key).toString("hex"),
            value: JSON.stringify({ revoked: false, workspaceId: "ws-1", name: "n", expiresAt: null }),
          },
        ],
      });
      const { key: last } = await changeKeys(a.config, silent, () => newKey("ws-1", "after it"));
      await until("what came after it", () => d.workspaceOf(last) === "ws-1");
      expect([a, b, d].map(({ workspaceOf }) => workspaceOf(rotated.key))).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    } finally {
      await proxy.stop();
    }
  });
});
