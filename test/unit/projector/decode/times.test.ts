import { expect, test } from "vitest";
import { normalizeTime } from "../../../../projector/decode/times.ts";
import { validateEvent } from "../../../../projector/decode/validate.ts";

test.each([
  ["2026-03-01T00:00:00.123Z", "2026-03-01T00:00:00.123Z"],
  ["2026-03-01t01:02:03z", "2026-03-01T01:02:03.000Z"],
  ["2026-03-01t01:02:03.000Z", "2026-03-01T01:02:03.000Z"],
  ["2026-03-01T01:02:03.999999999999+02:00", "2026-02-28T23:02:03.999Z"],
  ["2026-03-01T01:02:03-00:00", "2026-03-01T01:02:03.000Z"],
  ["0000-02-29T00:00:00Z", "0000-02-29T00:00:00.000Z"],
  ["0004-02-29T00:00:00Z", "0004-02-29T00:00:00.000Z"],
  ["2024-02-29T12:00:00.5Z", "2024-02-29T12:00:00.500Z"],
  ["2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"],
  ["2016-12-31T23:59:60.000Z", "2016-12-31T23:59:59.999Z"],
  ["1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59.999Z"],
  ["2017-01-01T05:29:60.25+05:30", "2016-12-31T23:59:59.999Z"],
])("%s is %s", (text, normal) => {
  expect(normalizeTime(text)).toBe(normal);
});

test.each([
  "2026-02-29T00:00:00Z",
  "0001-02-29T00:00:00Z",
  "0100-02-29T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2026-03-01T10:15:60Z",
  "2026-03-01T23:59:60+01:00",
  "0000-01-01T00:00:00+01:00",
  "9999-12-31T23:59:59-00:01",
])("%s is no time", (text) => {
  expect(() => normalizeTime(text)).toThrow(/a time /);
});

test("a time of any form is normalized wherever an event has one", () => {
  const event = validateEvent(
    {
      id: "e",
      event: "lead.created",
      occurredAt: "2026-03-01t00:00:00z",
      workspaceId: "ws-1",
      leadId: "lead-1",
      data: { createdAt: "2016-12-31T23:59:60Z" },
    },
    false,
  );
  expect(event).toMatchObject({
    occurredAt: "2026-03-01T00:00:00.000Z",
    data: { createdAt: "2016-12-31T23:59:59.999Z" },
  });
});
