import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMonitor } from "../../../../projector/ops/monitor.ts";
import { type ShardRow, shardRoutes } from "../../../../projector/ops/shard-routes.ts";
import { readConfig } from "../../../../shared/config.ts";
import { freePort } from "../../../harness/free-port.ts";

const KEY = "a-key-of-16-characters";
let servers: FastifyInstance[];
let monitors: ReturnType<typeof createMonitor>[];
let ports: number[];

/** A projector's own server, as far as shards go. */
async function start(index: number, urls: string, key = KEY): Promise<FastifyInstance> {
  const config = readConfig({ SHARD: `${index}/2`, KAFKA_BROKERS: "localhost:1", SHARD_OPS_URLS: urls });
  const monitor = createMonitor(
    { databaseDir: "none", role: "projector", publishes: true, mostLagSeconds: 60 },
    () => undefined,
  );
  monitor.is("owner", `shard ${index} starts`);
  monitors.push(monitor);
  const server = Fastify();
  server.addHook("onRequest", async ({ headers }, reply) => {
    if (headers["x-ops-key"] !== key) await reply.code(401).send();
  });
  shardRoutes(server, { monitor, config, key });
  servers.push(server);
  await server.listen({ port: ports[index] as number, host: "127.0.0.1" });
  return server;
}

const rowsAt = async (server: FastifyInstance): Promise<ShardRow[]> =>
  (await server.inject({ url: "/ops/api/shards", headers: { "x-ops-key": KEY } })).json();
const at = (port: number | undefined) => `http://127.0.0.1:${port}`;

beforeEach(async () => {
  servers = [];
  monitors = [];
  ports = await Promise.all([freePort(), freePort(), freePort()]);
});
afterEach(async () => {
  for (const server of servers) await server.close();
  for (const monitor of monitors) monitor.stop();
});

test("each projector tells of all: those that answer, that are down, and that have another key", async () => {
  const [a, b, c] = ports;
  const urls = `${at(a)},${at(b)}|${at(c)}`;
  const first = await start(0, urls);
  await start(1, urls, "another-key-of-the-others");
  expect(await rowsAt(first)).toMatchObject([
    {
      shard: "0/2",
      address: at(a),
      error: null,
      owns: null,
      reason: "shard 0 starts",
      lag: 0,
      lastCommitAt: null,
    },
    { shard: "1/2", address: at(b), error: expect.stringContaining("OPS_KEY") },
    { shard: "1/2", address: at(c), error: expect.stringContaining("does not answer") },
  ]);
});

test("addresses in another order are found out", async () => {
  const urls = `${at(ports[1])},${at(ports[0])}`;
  const first = await start(0, urls);
  await start(1, urls);
  expect((await rowsAt(first)).map(({ error }) => error)).toEqual([
    expect.stringContaining("it is shard 1/2, not 0/2"),
    expect.stringContaining("it is shard 0/2, not 1/2"),
  ]);
});
