// Requests at the wrong shard's node (rule: a workspace is one shard's): the answer is the right one's, byte for byte.
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openShardNodes } from "../../../api/shard-nodes.ts";
import { shardOfWorkspace } from "../../../shared/shard.ts";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openStream } from "../../harness/sse.ts";
import { until } from "../../harness/wait.ts";

type Api = ReturnType<typeof openApi>;

/** The workspace of the harness's key. */
const OWN = shardOfWorkspace("ws-1", 2);
const REACHED = "http://127.0.0.1:";

let right: Api;
let wrong: Api;
let rightAddress: string;
let wrongAddress: string;
let urls: string[][];
let ours: boolean;

const node = (index: number, ratePerMinute = 0) =>
  openApi({
    ratePerMinute,
    shards: {
      shard: { index, count: 2 },
      urls,
      turn: { isOurs: () => ours },
      nodes: openShardNodes({ answerMs: 500 }),
    },
  });

beforeEach(async () => {
  urls = [[], []];
  ours = true;
  [right, wrong] = [node(OWN, 1_000), node(1 - OWN, 1_000)];
  copyKeys(wrong);
  rightAddress = await right.server.listen({ port: 0, host: "127.0.0.1" });
  wrongAddress = await wrong.server.listen({ port: 0, host: "127.0.0.1" });
  urls[OWN] = [rightAddress];
  urls[1 - OWN] = [wrongAddress];
  tell("lead-1", "lead.created", { firstName: "Ann", lastName: "x".repeat(4_000), email: "a@b.c" });
  tell("..", "lead.created", { firstName: "Dots" });
});
afterEach(async () => {
  await wrong.close();
  await right.close();
});

const speaker = createSpeaker();
const tell = (leadId: string, event: string, data: Record<string, unknown> = {}) =>
  right.projector.foldBatch([speaker.say({ leadId, event, data })]);

/** The same keys everywhere. */
function copyKeys({ keyStore }: Api): void {
  keyStore.prepare("DELETE FROM api_key").run();
  for (const row of right.keyStore.prepare<[], Record<string, unknown>>("SELECT * FROM api_key").all()) {
    const names = Object.keys(row);
    const places = names.map((name) => `@${name}`).join(", ");
    keyStore.prepare(`INSERT INTO api_key (${names.join(", ")}) VALUES (${places})`).run(row);
  }
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** An answer with all that it says, but for what is one connection's or one moment's. */
async function ask(
  address: string,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Answer> {
  const { hostname, port } = new URL(address);
  const request = httpRequest({
    hostname,
    port,
    path,
    method,
    headers: { "x-api-key": right.key, "x-request-id": "id-1", ...headers },
  });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  const {
    date: _date,
    "ratelimit-remaining": _left,
    "ratelimit-reset": _reset,
    connection: _connection,
    "keep-alive": _kept,
    "transfer-encoding": _chunked,
    ...said
  } = response.headers;
  return { status: response.statusCode, headers: said, body: Buffer.concat(parts).toString("latin1") };
}

describe("a request at the wrong node", () => {
  test("is answered as the right one answers: bodies, tags, encodings, problems, request ids", async () => {
    const { headers } = await ask(rightAddress, "/api/v1/leads/lead-1");
    const requests: [path: string, headers?: Record<string, string>, method?: string][] = [
      ["/api/v1/leads/lead-1"],
      ["/api/v1/leads/lead-1", {}, "HEAD"],
      ["/api/v1/leads/lead-1", { "if-none-match": String(headers.etag) }],
      ["/api/v1/leads/lead-1", { "if-none-match": String(headers.etag) }, "HEAD"],
      ["/api/v1/leads/lead-1", { "accept-encoding": "br" }],
      ["/api/v1/leads/lead-1", { "accept-encoding": "gzip" }, "HEAD"],
      ["/api/v1/leads/lead-1/checklist"],
      ["/api/v1/leads/lead-1/action-logs", { "accept-encoding": "zstd" }],
      ["/api/v1/leads?email=A%40b.c"],
      ["/api/v1/leads?limit=x"],
      ["/api/v1/leads?limit=1&limit=2"],
      ["/api/v1/leads/%2e%2e"],
      ["/api/v1/leads/a%2F..%2Fb"],
      ["/api/v1/leads/nope"],
      ["/api/v1/leads/%00"],
      ["/api/v1/leads/lead-1", { "x-wait-for-position": "nonsense" }],
      ["/api/v1/leads/lead-1/events?from=nonsense"],
      ["/api/v1/leads/nope/events"],
      ["/api/v1/leads/lead-1", { expect: "100-continue" }],
      ["/api/v1/leads/lead-1", { "content-length": "0", te: "trailers" }],
    ];
    for (const [path, more, method] of requests) {
      const expected = await ask(rightAddress, path, more, method);
      expect([path, method, await ask(wrongAddress, path, more, method)]).toEqual([path, method, expected]);
    }
    expect((await ask(wrongAddress, "/api/v1/leads/%2e%2e")).body).toContain("Dots");
  });

  test("waits there for a position, and is counted there alone", async () => {
    const reading = ask(wrongAddress, "/api/v1/leads/lead-2", { "x-wait-for-position": "omni.lead/0/2" });
    tell("lead-2", "lead.created");
    expect((await reading).status).toBe(200);
    const { left } = {
      left: async (address: string) => Number((await raw(address)).headers["ratelimit-remaining"]),
    };
    const before = await left(rightAddress);
    expect(await left(wrongAddress)).toBe(before - 1);
    expect(await left(rightAddress)).toBe(before - 2);
  });

  const raw = async (address: string) => {
    const { hostname, port } = new URL(address);
    const request = httpRequest({
      hostname,
      port,
      path: "/api/v1/leads/lead-1",
      headers: { "x-api-key": right.key },
    });
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    return response;
  };

  test("without a right key never leaves the node", async () => {
    expect(await ask(wrongAddress, "/api/v1/leads/lead-1", { "x-api-key": "wrong" })).toMatchObject({
      status: 401,
    });
  });

  test("is passed on once: nodes that contradict each other refuse a loop", async () => {
    urls[OWN] = [wrongAddress];
    const { status, body } = await ask(wrongAddress, "/api/v1/leads/lead-1");
    expect([status, body]).toEqual([508, expect.stringContaining("contradict each other")]);
  });

  test("of a shard whose address is not known is misdirected", async () => {
    urls.length = 0;
    expect((await ask(wrongAddress, "/api/v1/leads/lead-1")).status).toBe(421);
  });

  test("of a node that is down or hangs is a 503 or 504 with Retry-After, others' are answered", async () => {
    urls[OWN] = [`${REACHED}1`];
    const down = await ask(wrongAddress, "/api/v1/leads/lead-1");
    expect([down.status, down.headers["retry-after"], down.headers["content-type"]]).toEqual([
      503,
      "1",
      expect.stringContaining("problem+json"),
    ]);
    const hanging = createTcpServer(() => undefined).listen(0, "127.0.0.1");
    await once(hanging, "listening");
    urls[OWN] = [`${REACHED}${(hanging.address() as AddressInfo).port}`];
    const late = ask(wrongAddress, "/api/v1/leads/lead-1");
    const other = await ask(wrongAddress, "/api/v1/leads/lead-1", { "x-api-key": right.otherKey });
    expect(other.status).toBe(404);
    expect([(await late).status, (await late).headers["retry-after"]]).toEqual([504, "1"]);
    hanging.close();
  });

  test("goes to the shard's next address where one is down, or is a standby's", async () => {
    urls[OWN] = [`${REACHED}1`, rightAddress];
    expect((await ask(wrongAddress, "/api/v1/leads/lead-1")).status).toBe(200);
    const standby = openApi({
      shards: {
        shard: { index: OWN, count: 2 },
        urls: [],
        turn: { isOurs: () => false },
        nodes: openShardNodes({ answerMs: 500 }),
      },
    });
    const standbyAddress = await standby.server.listen({ port: 0, host: "127.0.0.1" });
    copyKeys(standby);
    urls[OWN] = [standbyAddress, rightAddress];
    expect((await ask(wrongAddress, "/api/v1/leads/lead-1")).status).toBe(200);
    urls[OWN] = [standbyAddress];
    const { status, headers } = await ask(wrongAddress, "/api/v1/leads/lead-1");
    expect([status, headers["retry-after"]]).toEqual([503, "1"]);
    await standby.close();
  });

  test("goes on over a connection that the other side closed in the meantime", async () => {
    const through: Server = createServer((request, response) => {
      // Each connection serves one request, and is cut when the second one comes.
      const { socket } = request as IncomingMessage & {
        socket: { used?: boolean } & IncomingMessage["socket"];
      };
      if (socket.used) socket.destroy();
      else {
        socket.used = true;
        response.end("{}");
      }
    }).listen(0, "127.0.0.1");
    await once(through, "listening");
    urls[OWN] = [`${REACHED}${(through.address() as AddressInfo).port}`];
    for (let turn = 0; turn < 4; turn++)
      expect((await ask(wrongAddress, "/api/v1/leads/lead-1")).status).toBe(200);
    through.closeAllConnections();
    through.close();
  });
});

describe("a stream at the wrong node", () => {
  const open = () => openStream(`${wrongAddress}/api/v1/lead-views/events`, { "x-api-key": right.key });
  const connections = () =>
    new Promise<number>((resolve) => right.server.server.getConnections((_error, count) => resolve(count)));

  test("tells each change at once, and ends at the other side when its reader leaves", async () => {
    const stream = await open();
    expect(stream.response.headers["content-type"]).toContain("text/event-stream");
    await until("ready", () => stream.events.length === 1);
    tell("lead-3", "lead.created");
    await until("the change", () => stream.changes().length === 1);
    expect(await connections()).toBe(1);
    stream.kill();
    await until("no connection", async () => (await connections()) === 0);
  });

  test("ends when the other side ends it, and when this node drains", async () => {
    const first = await open();
    await until("ready", () => first.events.length === 1);
    const ended = once(first.response, "close");
    right.server.drain();
    await ended;
    expect(first.events.at(-1)?.event).toBe("ended");
    await right.close();
    right = node(OWN);
    rightAddress = await right.server.listen({ port: 0, host: "127.0.0.1" });
  });

  test("ends when this node drains, and leaves nothing behind", async () => {
    const stream = await open();
    await until("ready", () => stream.events.length === 1);
    const ended = once(stream.response, "end");
    wrong.server.drain();
    await ended;
    await until("no connection", async () => (await connections()) === 0);
  });

  test("a reader that leaves before there is an answer leaves nothing waiting", async () => {
    const hanging = createTcpServer().listen(0, "127.0.0.1");
    let open = 0;
    hanging.on("connection", (socket) => {
      open++;
      socket.on("error", () => undefined);
      socket.on("close", () => open--);
      socket.resume();
    });
    await once(hanging, "listening");
    const { port } = hanging.address() as AddressInfo;
    urls[OWN] = [`${REACHED}${port}`];
    const client = connect(Number(new URL(wrongAddress).port), "127.0.0.1");
    client.write(`GET /api/v1/leads/lead-1 HTTP/1.1\r\nhost: x\r\nx-api-key: ${right.key}\r\n\r\n`);
    await until("passed on", () => open === 1);
    client.destroy();
    await until("nothing waits", () => open === 0);
    hanging.close();
  });
});
