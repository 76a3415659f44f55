import { createHash, createHmac } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";

const S3 = {
  endpoint: new URL("https://s3.us-east-2.amazonaws.com"),
  region: "us-east-2",
  bucket: "omni-documents",
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
let now = Date.parse("2026-03-01T10:07:00.000Z");
let api: ReturnType<typeof openApi>;
let speaker: ReturnType<typeof createSpeaker>;

beforeEach(() => {
  now = Date.parse("2026-03-01T10:07:00.000Z");
  api = openApi({ s3: S3, now: () => now });
  speaker = createSpeaker();
  api.projector.foldBatch([speaker.say({ event: "lead.created", data: { firstName: "Zoë" } })]);
});
afterEach(() => api.close());

const withDocument = (storageKey: string | null = "ws/ünïcode (1)'s.pdf") =>
  api.projector.foldBatch([
    speaker.say({
      event: "document.received",
      data: { id: "d", filename: "ü.pdf", storageKey, metadata: { a: "é" } },
    }),
    speaker.say({
      event: "action_log.created",
      data: { id: "l", messages: [{ id: "m", body: "Ω", documents: [{ id: "d" }, { id: "gone" }] }] },
    }),
  ]);

test("a lead comes as the stored bytes, with a tag, for its workspace's caches only", async () => {
  const response = await api.get("lead-1");
  expect(response.statusCode).toBe(200);
  expect(response.json().lead.firstName).toBe("Zoë");
  expect(response.headers).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(response.body)),
    etag: expect.stringMatching(/^"\d{16}"$/),
    "cache-control": "private, no-cache",
  });
});

test("another workspace's, an unknown and an erased lead give the same answer", async () => {
  api.projector.foldBatch([
    speaker.say({ leadId: "lead-2", event: "lead.created" }),
    speaker.record("omni.lead", { key: Buffer.from("lead-2") }),
  ]);
  const answers = [
    await api.get("lead-1", { "x-api-key": api.otherKey }),
    await api.get("nobody"),
    await api.get("lead-2"),
    await api.get("lead-1", { "x-api-key": api.otherKey, "if-none-match": "*" }),
  ].map(({ statusCode, headers: { date: _, "x-request-id": __, ...headers }, body }) => ({
    statusCode,
    headers,
    body,
  }));
  expect(answers[0]?.statusCode).toBe(404);
  expect(answers[0]?.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
  expect(JSON.parse(answers[0]?.body ?? "")).toEqual({
    type: "about:blank",
    title: "Not Found",
    status: 404,
    detail: "No such lead.",
  });
  for (const answer of answers) expect(answer).toEqual(answers[0]);
});

test.each([
  ["no key", {}],
  ["a wrong key", { "x-api-key": "lv_wrong" }],
  ["an empty key", { "x-api-key": "" }],
])("%s gives 401 as problem details", async (_what, headers) => {
  const response = await api.get("lead-1", headers as Record<string, string>);
  expect(response.statusCode).toBe(401);
  expect(response.headers["content-type"]).toContain("application/problem+json");
});

test.each([
  ["empty", "/api/v1/leads/"],
  ["too long", `/api/v1/leads/${"x".repeat(201)}`],
  ["with a control character", "/api/v1/leads/a%00b"],
  ["not valid percent-encoding", "/api/v1/leads/%ff"],
])("an id that is %s gives 400", async (_what, url) => {
  const response = await api.server.inject({ url, headers: { "x-api-key": api.key } });
  expect(response.statusCode).toBe(400);
  expect(response.headers["content-type"]).toContain("application/problem+json");
});

test("200 characters outside the BMP are an id", async () => {
  const leadId = "\u{1F600}".repeat(200);
  api.projector.foldBatch([speaker.say({ leadId, event: "lead.created" })]);
  expect((await api.get(leadId)).statusCode).toBe(200);
});

test("If-None-Match with the tag gives 304 until the view changes", async () => {
  const { headers } = await api.get("lead-1");
  const etag = String(headers.etag);
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const response = await api.get("lead-1", { "x-api-key": api.key, "if-none-match": tag });
    expect([response.statusCode, response.body, response.headers.etag]).toEqual([304, "", etag]);
  }
  api.projector.foldBatch([speaker.say({ event: "lead.updated", data: { firstName: "Zed" } })]);
  expect((await api.get("lead-1", { "x-api-key": api.key, "if-none-match": etag })).statusCode).toBe(200);
});

test("HEAD answers as GET, without the body", async () => {
  withDocument();
  const get = await api.get("lead-1");
  const head = await api.get("lead-1", { "x-api-key": api.key }, "HEAD");
  expect(head.body).toBe("");
  expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
  expect(head.headers.etag).toBe(get.headers.etag);
});

test("documents carry S3 V4 presigned URLs, the same within a time bucket; one without an object has null", async () => {
  withDocument();
  const view = (await api.get("lead-1")).json();
  const url: string = view.documents[0].signedUrl;
  expect(view.actionLogs[0].messages[0].documents).toEqual([{ id: "d", filename: "ü.pdf", signedUrl: url }]);
  expectS3Signature(url);
  const tag = (await api.get("lead-1")).headers.etag;
  now += 5 * 60_000;
  expect((await api.get("lead-1")).json().documents[0].signedUrl).toBe(url);
  expect((await api.get("lead-1")).headers.etag).toBe(tag);
  now += 10 * 60_000;
  expect((await api.get("lead-1")).json().documents[0].signedUrl).not.toBe(url);
  expect((await api.get("lead-1")).headers.etag).not.toBe(tag);
  withDocument(null);
  expect((await api.get("lead-1")).json().documents[0].signedUrl).toBeNull();
});

/** Signature V4 by its specification, from the URL alone. */
function expectS3Signature(url: string): void {
  const { host, pathname, searchParams } = new URL(url);
  expect(decodeURIComponent(pathname)).toBe("/omni-documents/ws/ünïcode (1)'s.pdf");
  expect(pathname).toContain("%281%29%27s.pdf");
  expect(searchParams.get("X-Amz-Date")).toBe("20260301T100000Z");
  expect(Number(searchParams.get("X-Amz-Expires"))).toBe(4_500);
  const signature = searchParams.get("X-Amz-Signature");
  const query = url
    .slice(url.indexOf("?") + 1)
    .split("&")
    .filter((pair) => !pair.startsWith("X-Amz-Signature="))
    .sort()
    .join("&");
  const canonical = ["GET", pathname, query, `host:${host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n");
  const scope = "20260301/us-east-2/s3/aws4_request";
  const toSign = [
    "AWS4-HMAC-SHA256",
    "20260301T100000Z",
    scope,
    createHash("sha256").update(canonical).digest("hex"),
  ].join("\n");
  const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const key = scope
    .split("/")
    .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${S3.secretAccessKey}`);
  expect(signature).toBe(hmac(key, toSign).toString("hex"));
}

test("health tells that the process lives, and that views can be read", async () => {
  expect((await api.server.inject("/health/live")).statusCode).toBe(200);
  expect((await api.server.inject("/health/ready")).statusCode).toBe(200);
});

test("an unknown address gives 404 as problem details", async () => {
  const response = await api.server.inject("/api/v1/nothing");
  expect(response.statusCode).toBe(404);
  expect(response.headers["content-type"]).toContain("application/problem+json");
});

test("over a socket, where plain reads go before the routing, the answers are the same", async () => {
  withDocument();
  const address = await api.server.listen({ port: 0, host: "127.0.0.1" });
  const ask = async (leadId: string, headers: Record<string, string>) => {
    const answer = await fetch(`${address}/api/v1/leads/${leadId}`, {
      headers: { "accept-encoding": "identity", ...headers },
    });
    const own = ["etag", "cache-control", "content-type", "content-length"].map((name) =>
      answer.headers.get(name),
    );
    return { status: answer.status, headers: own, body: await answer.text() };
  };
  const injected = async (leadId: string, headers: Record<string, string>) => {
    const { statusCode, headers: given, body } = await api.get(leadId, headers);
    const own = ["etag", "cache-control", "content-type", "content-length"].map(
      (name) => given[name] ?? null,
    );
    return { status: statusCode, headers: own.map((value) => (value === null ? null : String(value))), body };
  };
  api.projector.foldBatch([
    speaker.say({ leadId: "lead-2", event: "lead.created", data: { firstName: "Øyvind" } }),
  ]);
  const key = { "x-api-key": api.key };
  const etag = String((await api.get("lead-2")).headers.etag);
  for (const [leadId, headers] of [
    ["lead-1", key],
    ["lead-2", key],
    ["lead-2", { ...key, "if-none-match": etag }],
    ["lead-2", { "x-api-key": api.otherKey }],
    ["nobody", key],
    ["lead-2", {}],
    ["lead%2D2", key],
  ] as [string, Record<string, string>][]) {
    const decoded = decodeURIComponent(leadId);
    const first = await ask(leadId, headers);
    expect(first).toEqual(await injected(decoded, headers));
    // Once more, now from memory.
    expect(await ask(leadId, headers)).toEqual(first);
  }
});
