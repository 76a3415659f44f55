// What every answer keeps to, whatever it answers.
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { until } from "../../harness/wait.ts";

let api: ReturnType<typeof openApi>;
let port: number;
const opened: ReturnType<typeof openApi>[] = [];

async function start(options: Parameters<typeof openApi>[0] = {}) {
  api = openApi(options);
  opened.push(api);
  api.projector.foldBatch([createSpeaker().say({ event: "lead.created" })]);
  port = Number(new URL(await api.server.listen({ port: 0, host: "127.0.0.1" })).port);
}
beforeEach(() => start());
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

/** Sends bytes as they are; resolves with all that comes back until the server closes. */
async function raw(sent: string, { finish = true } = {}): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  if (finish) socket.end(sent);
  else socket.write(sent);
  return text(socket);
}

const wholeRequest = (head: string, more = ""): string =>
  `${head}\r\nx-api-key: ${api.key}\r\nconnection: close\r\n${more}\r\n`;

interface Raw {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

function parse(answer: string): Raw {
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  const [line = "", ...lines] = head.split("\r\n");
  const headers = Object.fromEntries(
    lines.map((one) => {
      const at = one.indexOf(":");
      return [one.slice(0, at).toLowerCase(), one.slice(at + 1).trim()];
    }),
  );
  return { status: Number(line.split(" ")[1]), headers, body: rest.join("\r\n\r\n") };
}

function expectProblem({ status, headers, body }: Raw, expected: number): void {
  expect(status).toBe(expected);
  expect(headers["content-type"]).toBe("application/problem+json; charset=utf-8");
  expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(JSON.parse(body)).toMatchObject({ type: "about:blank", status: expected });
}

test.each<[string, () => string, number]>([
  ["no HTTP", () => "nonsense\r\n\r\n", 400],
  ["no Host", () => wholeRequest("GET /health/live HTTP/1.1"), 400],
  ["two Host headers", () => wholeRequest("GET /health/live HTTP/1.1", "host: a\r\nhost: b\r\n"), 400],
  [
    "two Host headers on an unknown address",
    () => wholeRequest("GET /x HTTP/1.1", "host: a\r\nhost: b\r\n"),
    400,
  ],
  [
    "headers that are too large",
    () => wholeRequest("GET /health/live HTTP/1.1", `host: a\r\nx-large: ${"x".repeat(20_000)}\r\n`),
    431,
  ],
  ["a bad address", () => wholeRequest("GET /api/v1/leads/%ff HTTP/1.1", "host: a\r\n"), 400],
  [
    "an unknown expectation",
    () => wholeRequest("GET /health/live HTTP/1.1", "host: a\r\nexpect: tea\r\n"),
    417,
  ],
  ["an unknown address", () => wholeRequest("GET /nothing HTTP/1.1", "host: a\r\n"), 404],
  ["an unknown method", () => wholeRequest("PROPFIND /health/live HTTP/1.1", "host: a\r\n"), 405],
])("%s is answered as a problem, with an id, and counted", async (_what, sent, status) => {
  expectProblem(parse(await raw(sent())), status);
  const { body } = await api.server.inject("/metrics");
  expect(body).toMatch(new RegExp(`_count\\{route="[^"]*",status="${status}"\\} 1`));
});

test("HTTP/1.0 may do without a Host header", async () => {
  expect(parse(await raw("GET /health/live HTTP/1.0\r\n\r\n")).status).toBe(200);
});

test.each([
  ["POST", "/api/v1/leads/lead-1", "GET, HEAD"],
  ["PUT", "/api/v1/leads/lead-1/checklist", "GET, HEAD"],
  ["DELETE", "/api/v1/leads", "GET, HEAD"],
  ["OPTIONS", "/health/live", "GET, HEAD"],
  ["PATCH", "/openapi.json", "GET, HEAD"],
] as const)("%s %s is answered 405 with what is allowed, even with a body", async (method, url, allow) => {
  const answer = await api.server.inject({
    method,
    url,
    payload: "x".repeat(100),
    headers: { "content-type": "x/y" },
  });
  expect([answer.statusCode, answer.headers.allow]).toEqual([405, allow]);
  expect(answer.headers["content-type"]).toContain("application/problem+json");
});

test("every answer has nosniff and an id; only pages have the headers of pages", async () => {
  for (const [url, page] of [
    ["/api/v1/leads/lead-1", false],
    ["/api/v1/leads", false],
    ["/health/ready", false],
    ["/metrics", false],
    ["/openapi.json", false],
    ["/docs/", true],
  ] as const) {
    const { statusCode, headers } = await api.server.inject({ url, headers: { "x-api-key": api.key } });
    expect([url, statusCode]).toEqual([url, 200]);
    expect([url, headers["x-content-type-options"]]).toEqual([url, "nosniff"]);
    expect([url, headers["x-request-id"] !== undefined]).toEqual([url, true]);
    expect([url, headers["content-security-policy"] !== undefined]).toEqual([url, page]);
  }
});

test("304 has no length, for GET and for HEAD", async () => {
  const etag = String((await api.get("lead-1")).headers.etag);
  for (const method of ["GET", "HEAD"]) {
    const answer = parse(
      await raw(
        wholeRequest(`${method} /api/v1/leads/lead-1 HTTP/1.1`, `host: a\r\nif-none-match: ${etag}\r\n`),
      ),
    );
    expect([answer.status, answer.headers.etag, answer.headers["content-length"]]).toEqual([
      304,
      etag,
      undefined,
    ]);
  }
});

test("a query parameter that comes twice is refused", async () => {
  for (const url of [
    "/api/v1/leads?status=REVIEW&status=REVIEW",
    "/api/v1/lead-views/events?changed=lead&changed=x",
  ]) {
    const answer = await api.server.inject({ url, headers: { "x-api-key": api.key } });
    expect([url, answer.statusCode]).toEqual([url, 400]);
  }
});

test("a request that is sent too slowly is answered 408 within the time that the setting says", async () => {
  await start({ env: { REQUEST_TIMEOUT_MS: "500" } });
  const startedAt = performance.now();
  const answers = await Promise.all([
    raw("GET /health/live HTTP/1.1\r\nhost: a\r\n", { finish: false }),
    raw("POST /health/live HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\nexpect: 100-continue\r\n", {
      finish: false,
    }),
  ]);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  for (const answer of answers) expectProblem(parse(answer), 408);
});

test("idle connections are kept longer than balancers keep them", async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/health/live`);
  expect(answer.headers.get("keep-alive")).toBe("timeout=72");
});

test("one address's wrong keys are told to wait, and right keys from there are answered all the while", async () => {
  const ask = async (key: string, more: Record<string, string> = {}) =>
    (await api.get("lead-1", { "x-api-key": key, ...more })).statusCode;
  for (let attempt = 0; attempt < 30; attempt++) expect(await ask(`wrong-${attempt}`)).toBe(401);
  const refused = await api.get("lead-1", { "x-api-key": "wrong" });
  expect([refused.statusCode, Number(refused.headers["retry-after"]) > 0]).toEqual([429, true]);
  expect(await ask(api.key)).toBe(200);
  expect(await ask(api.key, { "accept-encoding": "gzip", "x-wait-for-position": "omni.lead/0/0" })).toBe(200);
  expect((await api.get("lead-1", { "x-api-key": api.key }, "HEAD")).statusCode).toBe(200);
  // Nobody is believed to be somebody else.
  expect(await ask("wrong", { "x-forwarded-for": "203.0.113.7" })).toBe(429);
});

test("behind a trusted proxy each client has its own tries", async () => {
  await start({ env: { TRUSTED_PROXIES: "loopback" } });
  const ask = async (address: string) =>
    (await api.get("lead-1", { "x-api-key": "wrong", "x-forwarded-for": address })).statusCode;
  for (let attempt = 0; attempt < 30; attempt++) await ask("203.0.113.7");
  expect([await ask("203.0.113.7"), await ask("203.0.113.8"), await ask("1.2.3.4, 203.0.113.7")]).toEqual([
    429, 401, 429,
  ]);
  // Who has one address of an IPv6 network has all of them.
  for (let attempt = 0; attempt < 30; attempt++) await ask(`2001:db8::${attempt}`);
  expect([await ask("2001:db8::ffff:1"), await ask("2001:db8:0:1::1")]).toEqual([429, 401]);
});

test("one key can't have all connections: others and health are answered", async () => {
  await start({ mostConnections: 40 });
  const statuses: number[] = [];
  const requests = Array.from({ length: 35 }, () => {
    const sent = httpRequest({
      port,
      host: "127.0.0.1",
      agent: false,
      path: "/api/v1/lead-views/events",
      headers: { "x-api-key": api.key, connection: "keep-alive" },
    });
    sent.on("response", ({ statusCode = 0 }) => statuses.push(statusCode));
    sent.on("error", () => undefined);
    sent.end();
    return sent;
  });
  await until("all answers", () => statuses.length === 35);
  const taken = statuses.filter((status) => status === 200).length;
  expect([taken >= 10, taken <= 21, statuses.filter((status) => status === 429).length]).toEqual([
    true,
    true,
    35 - taken,
  ]);
  const ask = async (path: string, key: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { "x-api-key": key } })).status;
  expect([await ask("/health/live", ""), await ask("/api/v1/leads/lead-1", api.otherKey)]).toEqual([
    200, 404,
  ]);
  for (const sent of requests) sent.destroy();
  await until("room again", async () => (await ask("/api/v1/leads/lead-1", api.key)) === 200);
});

test("ready tells why it is not", async () => {
  await start({ readiness: { reason: () => "the projector is 40 seconds behind", close: () => undefined } });
  const answer = await api.server.inject("/health/ready");
  expect([answer.statusCode, answer.json().detail]).toEqual([
    503,
    "Not ready: the projector is 40 seconds behind.",
  ]);
});

test("a database of another schema is named with what to do", async () => {
  api.projector.store.db.pragma("user_version = 99");
  await start();
  api.projector.store.db.pragma("user_version = 99");
  const answer = await api.server.inject("/health/ready");
  expect(answer.json().detail).toMatch(/made by a newer program.*schema version 99/);
});
