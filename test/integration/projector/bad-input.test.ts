import { afterEach, beforeEach, expect, test } from "vitest";
import { recordOfMessage } from "../../../projector/source/kafka/kafka-record.ts";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { createSpeaker } from "../../harness/events.ts";
import { deadLettersOf, MAX_EVENT_BYTES, openProjector, viewsOf } from "../../harness/projector.ts";

let projector: ReturnType<typeof openProjector>;
beforeEach(() => {
  projector = openProjector();
});
afterEach(() => projector.close());

const envelope = (fields: Record<string, unknown> = {}) => ({
  id: "e",
  event: "lead.updated",
  occurredAt: "2026-03-01T00:00:00.000Z",
  workspaceId: "ws-1",
  leadId: "lead-1",
  data: { firstName: "Ann" },
  ...fields,
});
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const text = (fields: Record<string, unknown>) => JSON.stringify(envelope(fields));

const ACTION_LOG = (member: string) =>
  text({ event: "action_log.created", data: { id: "log" } }).replace('"log"', `"log",${member}`);

const CASES: readonly [what: string, code: string, value: string | Buffer, fields?: Partial<SourceRecord>][] =
  [
    ["not JSON", "not_json", "{nope"],
    ["empty", "not_json", ""],
    ["not UTF-8", "not_utf8", Buffer.from([0x7b, 0xff, 0x7d])],
    ["an array", "not_an_object", "[]"],
    ["a string", "not_an_object", '"hello"'],
    ["JSON null", "not_an_object", "null"],
    ["no event", "invalid_event", text({ event: undefined })],
    ["an unknown event", "unknown_event", text({ event: "lead.exploded" })],
    ["an event named as an object's own method", "unknown_event", text({ event: "constructor" })],
    ["an event of another topic", "wrong_topic", text({ event: "document.deleted", data: { id: "d" } })],
    ["a newer schema version", "unsupported_version", text({ schemaVersion: 99 })],
    ["a version that is no number", "invalid_event", text({ schemaVersion: "1" })],
    ["a wrong type", "invalid_event", text({ data: { firstName: 7 } })],
    ["no data", "invalid_event", text({ data: undefined })],
    ["a time without a zone", "invalid_event", text({ occurredAt: "2026-03-01T00:00:00" })],
    ["the 30th of February", "invalid_event", text({ data: { createdAt: "2026-02-30T00:00:00.000Z" } })],
    ["a lead id with a control character", "invalid_event", text({ leadId: "a\u0000b" }), { key: null }],
    ["a key that is not the leadId", "key_mismatch", text({ leadId: "lead-2" })],
    ["data of another lead", "identity_mismatch", text({ data: { id: "lead-2" } })],
    ["data of another workspace", "identity_mismatch", text({ data: { workspaceId: "ws-2" } })],
    ["too many bytes", "too_large", text({ data: { firstName: "x".repeat(MAX_EVENT_BYTES) } })],
    [
      "too many bytes, fewer characters",
      "too_large",
      text({ data: { firstName: "é".repeat(MAX_EVENT_BYTES / 2) } }),
    ],
    ["nested too deep", "too_deep", text({}).replace('"Ann"', nested(200))],
    ["nested far too deep", "too_deep", text({}).replace('"Ann"', nested(20_000))],
    ["a lone surrogate in an id", "invalid_event", text({}).replace('"e"', '"\\ud800"')],
    ["a lone surrogate in a lead's id", "invalid_event", text({ leadId: "\udfff" }), { key: null }],
    [
      "a size that a double can't hold",
      "invalid_event",
      JSON.stringify(envelope({ event: "document.received", data: { id: "d" } })).replace(
        '"d"',
        '"d","size":9007199254740993',
      ),
      { topic: "omni.document" },
    ],
    [
      "a storage key with dot segments",
      "invalid_event",
      text({ event: "document.received", data: { id: "d", storageKey: "../ws-2/x" } }),
      { topic: "omni.document" },
    ],
    ["a number as a tool", "invalid_event", ACTION_LOG('"tool":1e400'), { topic: "omni.action_log" }],
    ["a number as a message", "invalid_event", ACTION_LOG('"messages":[1.0]'), { topic: "omni.action_log" }],
    [
      "a newer version, in other digits",
      "unsupported_version",
      text({}).replace('"id"', '"schemaVersion":2.0,"id"'),
    ],
    ["__proto__", "prototype_key", text({}).replace('"firstName"', '"__proto__"')],
    ["an escaped __proto__", "prototype_key", text({}).replace('"firstName"', '"\\u005f_proto__"')],
    ["constructor.prototype", "prototype_key", text({}).replace('"Ann"', '{"constructor":{"prototype":{}}}')],
  ];

test.each(CASES)(
  "%s becomes a dead letter with its reason and position, and the next event is folded",
  (_what, code, value, fields = {}) => {
    const { say, record } = createSpeaker();
    const created = say({ event: "lead.created", data: { lastName: "Doe" } });
    const bad = record(fields.topic ?? "omni.lead", { value: Buffer.from(value as string), ...fields });
    const next = say({ event: "lead.updated", data: { firstName: "Next" } });
    projector.foldBatch([created, bad, next]);
    const letters = deadLettersOf(projector.store);
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({ topic: fields.topic ?? "omni.lead", code });
    expect(letters[0]?.reason.length).toBeGreaterThan(10);
    expect(letters[0]?.value?.equals(Buffer.from(value as string))).toBe(true);
    expect(JSON.parse(viewsOf(projector.store)["lead-1"]?.body ?? "{}").lead.firstName).toBe("Next");
  },
);

test.each([
  ["an update of an unknown action log", { event: "action_log.updated", data: { id: "nope" } }],
  ["an update of an unknown item", { event: "checklist_item.updated", data: { id: "nope" } }],
  ["an extraction of an unknown document", { event: "document.extracted", data: { id: "nope" } }],
  [
    "a checklist with an item twice",
    { event: "checklist.assigned", data: { groups: [{ id: "g", items: [{ id: "i" }, { id: "i" }] }] } },
  ],
])("%s contradicts the state and becomes a dead letter", (_what, spoken) => {
  const { say } = createSpeaker();
  projector.foldBatch([say({ event: "lead.created" }), say(spoken)]);
  expect(deadLettersOf(projector.store)).toMatchObject([
    { code: expect.stringMatching(/^(unknown|duplicate)_entity$/) },
  ]);
});

test("a tombstone without a key, or on a topic that owns no leads, erases nothing", () => {
  const { say, record } = createSpeaker();
  projector.foldBatch([
    say({ event: "lead.created" }),
    record("omni.lead", { key: null }),
    record("omni.document", {}),
  ]);
  expect(
    deadLettersOf(projector.store)
      .map(({ code }) => code)
      .sort(),
  ).toEqual(["no_key", "wrong_topic"]);
  expect(Object.keys(viewsOf(projector.store))).toEqual(["lead-1"]);
});

test("a time that a Kafka producer set beyond all dates stops nothing", () => {
  const message = (timestamp: string, offset: string) =>
    recordOfMessage("omni.lead", 0, {
      key: Buffer.from("lead-1"),
      value: Buffer.from("no event"),
      timestamp,
      offset,
      attributes: 0,
      headers: {},
    } as never);
  projector.foldBatch([message("9223372036854775807", "0"), message("-9223372036854775808", "1")]);
  expect(deadLettersOf(projector.store).map(({ code }) => code)).toEqual(["not_json", "not_json"]);
});
