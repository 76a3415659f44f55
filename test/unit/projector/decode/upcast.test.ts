import { expect, test } from "vitest";
import { createDecoder } from "../../../../projector/decode/decode.ts";
import type { Upcasters } from "../../../../projector/decode/upcast.ts";
import { createProjection } from "../../../../projector/projection/projection.ts";
import type { SourceRecord } from "../../../../projector/source/source.ts";
import { openStore } from "../../../../projector/store/store.ts";
import { bytesOf, deadLettersOf, MAX_EVENT_BYTES } from "../../../harness/projector.ts";

/** Version 2 renamed `phone`, version 3 put first and last name in two fields. */
const upcasters: Upcasters = {
  "lead.created": [
    ({ data, ...envelope }) => {
      const { phone, ...rest } = data as Record<string, unknown>;
      return { ...envelope, data: { ...rest, phoneNumber: phone } };
    },
    ({ data, ...envelope }) => {
      const { name, ...rest } = data as Record<string, unknown>;
      const [firstName, lastName] = String(name).split(" ");
      return { ...envelope, data: { ...rest, firstName, lastName } };
    },
  ],
};

function fold(schemaVersion: number | undefined, data: Record<string, unknown>) {
  const store = openStore(":memory:");
  const decode = createDecoder({ maxEventBytes: MAX_EVENT_BYTES, webhookWorkspaceId: undefined, upcasters });
  const projection = createProjection(store, decode);
  const envelope = {
    id: "e",
    event: "lead.created",
    schemaVersion,
    occurredAt: "2026-03-01T00:00:00.000Z",
    workspaceId: "ws",
    leadId: "l",
    data,
  };
  const value = Buffer.from(JSON.stringify(envelope));
  const record: SourceRecord = {
    topic: "omni.lead",
    partition: 0,
    offset: 0,
    key: null,
    timestamp: 0,
    headers: {},
    value,
  };
  projection.fold(record);
  projection.commit();
  const result = { views: bytesOf(store), letters: deadLettersOf(store).map(({ code }) => code) };
  store.close();
  return result;
}

test("every version of an event folds to the same view; an absent one is the first", () => {
  const newest = fold(3, { firstName: "Ann", lastName: "Lee", phoneNumber: "+16782319992" });
  expect(newest.letters).toEqual([]);
  expect(newest.views.l).toContain('"firstName":"Ann"');
  expect(fold(2, { name: "Ann Lee", phoneNumber: "+16782319992" })).toEqual(newest);
  expect(fold(1, { name: "Ann Lee", phone: "+16782319992" })).toEqual(newest);
  expect(fold(undefined, { name: "Ann Lee", phone: "+16782319992" })).toEqual(newest);
});

test("a version that is newer than the program becomes a dead letter", () => {
  expect(fold(4, {}).letters).toEqual(["unsupported_version"]);
});
