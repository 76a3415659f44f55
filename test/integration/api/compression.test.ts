import { promisify } from "node:util";
import { brotliDecompress, gunzip, zstdDecompress } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";

const decoders = {
  zstd: promisify(zstdDecompress),
  br: promisify(brotliDecompress),
  gzip: promisify(gunzip),
};
let api: ReturnType<typeof openApi>;
let speaker: ReturnType<typeof createSpeaker>;
beforeEach(() => {
  api = openApi();
  speaker = createSpeaker();
  const { say } = speaker;
  api.projector.foldBatch([
    say({ event: "lead.created", data: { activitySummary: "Ünï ".repeat(1_000) } }),
    say({ leadId: "small", event: "lead.created" }),
  ]);
});
afterEach(() => api.close());

const get = (acceptEncoding: string, leadId = "lead-1", more: Record<string, string> = {}) =>
  api.get(leadId, { "x-api-key": api.key, "accept-encoding": acceptEncoding, ...more });

describe("compression", () => {
  test.each([
    ["zstd", "zstd"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip, deflate, br", "br"],
    ["gzip", "gzip"],
    ["br;q=0.5, gzip;q=0.9", "gzip"],
  ] as const)("a client that accepts %j gets %s, the same bytes once decoded", async (accepts, encoding) => {
    const plain = await api.get("lead-1");
    const answer = await get(accepts);
    expect(answer.headers).toMatchObject({ "content-encoding": encoding, vary: "accept-encoding" });
    expect(answer.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2);
    expect(await decoders[encoding](answer.rawPayload)).toEqual(plain.rawPayload);
    expect((await get(accepts)).rawPayload).toEqual(answer.rawPayload);
  });

  test.each(["identity", "deflate", "", "zstd;q=0"])(
    "a client that accepts %j gets the bytes as they are",
    async (accepts) => {
      const answer = await get(accepts);
      expect(answer.headers["content-encoding"]).toBeUndefined();
      expect(answer.rawPayload).toEqual((await api.get("lead-1")).rawPayload);
    },
  );

  test("a small body is sent as it is", async () => {
    const small = await get("gzip", "small");
    expect(small.rawPayload.length).toBeLessThan(1_024);
    expect(small.headers["content-encoding"]).toBeUndefined();
  });

  test("each encoding has a tag of its own, and any of them gives 304 until the view changes", async () => {
    const tags = [
      (await api.get("lead-1")).headers.etag,
      (await get("gzip")).headers.etag,
      (await get("br")).headers.etag,
    ];
    expect(new Set(tags).size).toBe(3);
    for (const tag of tags) {
      const answer = await get("gzip", "lead-1", { "if-none-match": String(tag) });
      expect([answer.statusCode, answer.body, answer.headers.etag]).toEqual([304, "", tags[1]]);
    }
    api.projector.foldBatch([
      { ...speaker.say({ event: "lead.updated", data: { firstName: "New" } }), offset: 9 },
    ]);
    expect((await get("gzip", "lead-1", { "if-none-match": String(tags[1]) })).statusCode).toBe(200);
  });

  test("over a socket, before the routing, it is the same", async () => {
    const address = await api.server.listen({ port: 0, host: "127.0.0.1" });
    const plain = (await api.get("lead-1")).body;
    for (let round = 0; round < 3; round++) {
      const answer = await fetch(`${address}/api/v1/leads/lead-1`, {
        headers: { "x-api-key": api.key, "accept-encoding": "br" },
      });
      expect(answer.headers.get("content-encoding")).toBe("br");
      expect(await answer.text()).toBe(plain);
    }
  });
});
