// A small run of `npm run fuzz`: wrong records and wrong requests, and nothing but foreseen answers.
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApi } from "../harness/api.ts";
import { createSpeaker } from "../harness/events.ts";
import { fuzzDecoder } from "./decoder.ts";
import { fuzzHttp } from "./http.ts";

let api: ReturnType<typeof openApi>;
beforeEach(() => {
  api = openApi();
});
afterEach(() => api.close());

test("wrong records are folded or become dead letters with a reason that was foreseen, and nothing is altered", () => {
  const { outcomes, crashes, altered, probes } = fuzzDecoder(20_000, 7);
  expect(crashes).toEqual([]);
  expect(altered).toEqual([]);
  expect(Object.values(outcomes).reduce((sum, count) => sum + count)).toBe(20_000);
  expect(outcomes["folded"]).toBeGreaterThan(5_000);
  expect(outcomes["repeated"]).toBeGreaterThan(10);
  expect(probes).toBeGreaterThan(2_000);
});

test("wrong requests get the answers that the API's document has for them", async () => {
  api.projector.foldBatch([createSpeaker().say({ event: "lead.created" })]);
  const { port } = new URL(await api.server.listen({ port: 0, host: "127.0.0.1" }));
  const { statuses, breaches } = await fuzzHttp(
    { port: Number(port), key: api.key, leadIds: ["lead-1"] },
    1_000,
    7,
  );
  expect(breaches).toEqual([]);
  expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "400", "401", "404"]));
});
