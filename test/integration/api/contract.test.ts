// Every answer is held to the API's own OpenAPI document.
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApiDocument } from "../../../api/openapi.ts";
import { openApi } from "../../harness/api.ts";
import { contractBreach } from "../../harness/contract.ts";
import { createSpeaker } from "../../harness/events.ts";
import { seedResponse } from "../../harness/seed-response.ts";

let api: ReturnType<typeof openApi>;
let speaker: ReturnType<typeof createSpeaker>;
// biome-ignore lint/suspicious/noExplicitAny: the document is JSON.
const document = openApiDocument() as any;

beforeEach(() => {
  api = openApi();
  speaker = createSpeaker();
  api.projector.foldBatch([speaker.say({ event: "lead.created" })]);
});
afterEach(() => api.close());

test("what the API answers is what its document says", async () => {
  const path = "/api/v1/leads/{leadId}";
  const key = { "x-api-key": api.key };
  const etag = String((await api.get("lead-1")).headers.etag);
  for (const answer of [
    await api.get("lead-1"),
    await api.get("nobody"),
    await api.get("x".repeat(201)),
    await api.get("lead-1", {}),
    await api.get("lead-1", { ...key, "if-none-match": etag }),
    await api.get("lead-1", { ...key, "x-wait-for-position": "omni.lead/0/0" }),
    await api.get("lead-1", { ...key, "x-wait-for-position": "nonsense" }),
  ]) {
    expect(contractBreach(path, answer)).toBeUndefined();
  }
  for (const health of ["/health/live", "/health/ready"])
    expect(contractBreach(health, await api.server.inject(health))).toBeUndefined();
  expect((await api.server.inject("/openapi.json")).json()).toEqual(JSON.parse(JSON.stringify(document)));
  expect((await api.server.inject("/docs/")).statusCode).toBe(200);
});

test("the document's view is the seed's", () => {
  const { LeadView } = document.components.schemas;
  expect(new Ajv2020({ strict: false }).validate(LeadView, seedResponse())).toBe(true);
});

test("a read that waits for an event's position never shows what was before it", async () => {
  const key = { "x-api-key": api.key };
  const waiting = api.get("lead-1", { ...key, "x-wait-for-position": "omni.lead/0/1" });
  await new Promise((resolve) => setTimeout(resolve, 30));
  api.projector.foldBatch([speaker.say({ event: "lead.updated", data: { firstName: "Written" } })]);
  expect((await waiting).json().lead.firstName).toBe("Written");
  const never = await api.get("lead-1", { ...key, "x-wait-for-position": "omni.lead/0/99" });
  expect([never.statusCode, never.json().detail]).toEqual([
    504,
    expect.stringContaining("is not folded yet"),
  ]);
});

test("metrics tell of answers by route and status", async () => {
  await api.get("lead-1");
  await api.get("nobody");
  const { body } = await api.server.inject("/metrics");
  const count = 'lead_view_http_request_duration_seconds_count{route="/api/v1/leads/:leadId",status=';
  expect(body).toContain(`${count}"200"} 1`);
  expect(body).toContain(`${count}"404"} 1`);
});

test("a request's id comes back with the answer; one that is none is replaced", async () => {
  const id = async (given: string, leadId = "lead-1") =>
    (await api.get(leadId, { "x-api-key": api.key, "x-request-id": given })).headers["x-request-id"];
  expect(await id("trace-7")).toBe("trace-7");
  expect(await id("trace-8", "nobody")).toBe("trace-8");
  expect(await id("no id\u00e9")).toMatch(/^[0-9a-f-]{36}$/);
});

test("an address that tries many wrong keys is told to wait", async () => {
  const statuses = [];
  for (let attempt = 0; attempt < 35; attempt++)
    statuses.push((await api.get("lead-1", { "x-api-key": `wrong-${attempt}` })).statusCode);
  expect(statuses[0]).toBe(401);
  expect(statuses.at(-1)).toBe(429);
});

test("a key's rate limit answers with the standard's headers, then 429", async () => {
  const limited = openApi({ ratePerMinute: 3 });
  limited.projector.foldBatch([createSpeaker().say({ event: "lead.created" })]);
  const answers = [];
  for (let request = 0; request < 4; request++) answers.push(await limited.get("lead-1"));
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 429]);
  expect(answers[0]?.headers["ratelimit-remaining"]).toBe("2");
  expect(answers[3]?.headers["content-type"]).toContain("application/problem+json");
  await limited.close();
});
