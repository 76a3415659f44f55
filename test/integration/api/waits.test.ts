// Reads that wait for an event (rule: read your writes).
import { afterEach, expect, test } from "vitest";
import { createPositionWaits } from "../../../api/position-waits.ts";
import type { ProblemError } from "../../../shared/http/problem.ts";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { until } from "../../harness/wait.ts";

const opened: ReturnType<typeof openApi>[] = [];
const open = (options: Parameters<typeof openApi>[0] = {}) => {
  const api = openApi(options);
  opened.push(api);
  const speaker = createSpeaker();
  api.projector.foldBatch([speaker.say({ event: "lead.created" })]);
  return { api, speaker };
};
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

test("a renamed topic's position is known by the name that producers use", async () => {
  const { api } = open({ env: { KAFKA_TOPIC_LEAD: "p2.lead" } });
  const ask = async (position: string) =>
    (await api.get("lead-1", { "x-api-key": api.key, "x-wait-for-position": position })).statusCode;
  expect([await ask("p2.lead/0/0"), await ask("omni.lead/0/0"), await ask("nope/0/0")]).toEqual([
    200, 400, 400,
  ]);
});

test("many who wait cost one look, and as many as one key may, others may still", async () => {
  const { api, speaker } = open();
  const looks = { count: 0 };
  const views = {
    positions: () => {
      looks.count++;
      return api.projector.store.positions.all();
    },
  } as never;
  const waits = createPositionWaits(views, new Map([["omni.lead", "omni.lead"]]));
  const results: (number | string)[] = [];
  const wait = (keyId: string) =>
    waits.wait({ position: "omni.lead/0/1", version: undefined }, "lead-1", keyId, (problem) =>
      results.push((problem as { statusCode?: number } | undefined)?.statusCode ?? "folded"),
    );
  for (let count = 0; count < 300; count++) wait("greedy");
  expect(results).toEqual(Array.from({ length: 50 }, () => 429));
  for (let count = 0; count < 5; count++) wait("other");
  expect(results).toHaveLength(50);
  const before = looks.count;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(looks.count - before).toBeLessThan(40);
  api.projector.foldBatch([speaker.say({ event: "lead.updated", data: { firstName: "New" } })]);
  await until("all to be told", () => results.length === 305);
  expect(results.slice(50).every((one) => one === "folded")).toBe(true);
  for (const keyId of ["a", "b", "c", "d", "e"])
    for (let count = 0; count < 250; count++)
      waits.wait({ position: "omni.lead/0/9", version: undefined }, "lead-1", keyId, (problem) =>
        results.push((problem as ProblemError).statusCode),
      );
  expect(results.slice(305)).toEqual(Array.from({ length: 250 }, () => 503));
  await until("their end", () => results.length === 305 + 1_250);
  expect(results.slice(555).every((one) => one === 504)).toBe(true);
});

test("a version is waited for: of the lead, or any later one's; what can't be one is refused", async () => {
  const { api, speaker } = open();
  const { number } = api.projector.store.views.get("lead-1") as { number: number };
  const ask = (version: string | number) =>
    api.get("lead-1", { "x-api-key": api.key, "x-wait-for-version": String(version) });
  expect((await ask(number)).statusCode).toBe(200);
  expect((await ask("W/1")).statusCode).toBe(400);
  const waiting = ask(number + 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  api.projector.foldBatch([speaker.say({ event: "lead.updated", data: { firstName: "Later" } })]);
  expect((await waiting).json().lead.firstName).toBe("Later");
  api.projector.foldBatch([speaker.say({ leadId: "lead-9", event: "lead.created" })]);
  const { number: other } = api.projector.store.views.get("lead-9") as { number: number };
  expect((await ask(other)).statusCode).toBe(200);
  const refused = await ask(other + 1);
  expect([refused.statusCode, refused.json().detail]).toEqual([
    504,
    expect.stringContaining("is not in the views yet"),
  ]);
});
