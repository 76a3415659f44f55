// Three subscribers that any language can copy (test/harness/kept-views.ts) end with what the API answers.
import { describe, expect, inject, test } from "vitest";
import { subscribersRun } from "./subscribers-run.ts";

describe.skipIf(!inject("hostBrokers"))("subscribers", () => {
  test("by topic, stream and webhooks, through kills of broker, projector and API, all keep what the API answers", async () => {
    const result = await subscribersRun({ kills: 6, leads: 40, seed: 3 });
    expect(result).toMatchObject({ kills: 6, topicDiffers: 0, streamDiffers: 0, webhooksDiffer: 0 });
    expect(result.views).toBeGreaterThan(20);
  }, 300_000);
});
