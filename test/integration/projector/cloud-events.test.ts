// CloudEvents by Kafka's protocol binding, as the `cloudevents` package makes them, and as the binding allows them.
import { CloudEvent, Kafka } from "cloudevents";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NO_TIMESTAMP, type SourceRecord } from "../../../projector/source/source.ts";
import { createSpeaker } from "../../harness/events.ts";
import { deadLettersOf, openProjector, viewsOf } from "../../harness/projector.ts";

let projector: ReturnType<typeof openProjector>;
let speaker: ReturnType<typeof createSpeaker>;
beforeEach(() => {
  projector = openProjector();
  speaker = createSpeaker();
});
afterEach(() => projector.close());

const view = () => JSON.parse(viewsOf(projector.store)["lead-1"]?.body ?? "null");
const codes = () => deadLettersOf(projector.store).map(({ code }) => code);

interface CloudEventParts {
  readonly type: string;
  readonly data?: object;
  readonly topic?: string;
  readonly more?: Record<string, unknown>;
}

/** A record as the package makes it, in one of its modes, and as a producer then encodes it. */
function produced(
  mode: "binary" | "structured",
  { type, data, topic = "omni.lead", more = {} }: CloudEventParts,
): SourceRecord {
  const event = new CloudEvent({
    type,
    source: "/leads",
    subject: "lead-1",
    partitionkey: "lead-1",
    workspaceid: "ws-1",
    ...(data === undefined ? {} : { data, datacontenttype: "application/json" }),
    ...more,
  });
  const { key, value, headers } = Kafka[mode](event) as {
    key: string;
    value: unknown;
    headers: Record<string, unknown>;
  };
  const given = Object.entries(headers).filter(([, header]) => header !== undefined && header !== null);
  return speaker.record(topic, {
    key: Buffer.from(key),
    headers: Object.fromEntries(given.map(([name, header]) => [name, Buffer.from(String(header))])),
    value:
      value === undefined ? null : Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
  });
}

test.each(["binary", "structured"] as const)("what the package makes in %s mode is folded", (mode) => {
  const log = {
    id: "log-real",
    type: "TOOL_CALL",
    summary: "s",
    data: { id: "inner" },
    event: "lead.deleted",
    leadId: "lead-2",
    workspaceId: "ws-2",
    source: 7,
  };
  projector.foldBatch([
    produced(mode, { type: "lead.created", data: { firstName: "Ann" }, more: { schemaversion: 1 } }),
    produced(mode, { type: "lead.deleted", data: { deletedAt: "2026-03-01T00:00:00.000Z" } }),
    produced(mode, { type: "lead.restored" }),
    produced(mode, { type: "action_log.created", topic: "omni.action_log", data: log }),
  ]);
  expect(deadLettersOf(projector.store)).toEqual([]);
  expect(view().lead).toMatchObject({ firstName: "Ann", deletedAt: null, workspaceId: "ws-1" });
  expect(view().actionLogs).toEqual([log]);
});

test("binary data in structured mode, as the package writes bytes, is read as the JSON that it is", () => {
  const record = produced("structured", {
    type: "lead.created",
    more: {
      data: new Uint8Array(Buffer.from('{"firstName":"Ann","lastName":"Lee"}')),
      datacontenttype: "application/json",
    },
  });
  expect(record.value?.toString()).toContain("data_base64");
  projector.foldBatch([record]);
  expect(view().lead).toMatchObject({ firstName: "Ann", lastName: "Lee" });
});

const HEADERS = {
  ce_specversion: "1.0",
  ce_id: "ce-1",
  ce_type: "lead.created",
  ce_source: "/s",
  ce_workspaceid: "ws-1",
};
const binary = (
  headers: SourceRecord["headers"],
  value: string | null = "{}",
  more: Partial<SourceRecord> = {},
) =>
  speaker.record("omni.lead", {
    headers: { ...HEADERS, ...headers },
    value: value === null ? null : Buffer.from(value),
    timestamp: 1_772_323_200_000,
    ...more,
  });
const structured = (event: object, type = "application/cloudevents+json; charset=UTF-8") =>
  speaker.record("omni.lead", {
    headers: { "content-type": type },
    value: Buffer.from(
      JSON.stringify({
        specversion: "1.0",
        id: "1",
        source: "/s",
        type: "lead.created",
        subject: "lead-1",
        workspaceid: "ws-1",
        ...event,
      }),
    ),
    timestamp: 1_772_323_200_000,
  });

test.each([
  ["without a subject: the key is the lead", () => binary({})],
  ["with a lower-case time", () => binary({ ce_time: "2026-03-01t00:00:00z" })],
  [
    "with a datacontenttype of its own",
    () => binary({ "Content-Type": "application/vnd.omni+json; charset=utf-8" }),
  ],
  ["with a version in a header", () => binary({ ce_schemaversion: "1" })],
  ["without a value", () => binary({}, null)],
  ["whose time is null", () => binary({ ce_time: null })],
  ["structured, upper case in the type", () => structured({ data: {} }, "Application/CloudEvents+JSON")],
  ["structured, without time and data", () => structured({})],
  [
    "structured, with attributes that are null",
    () => structured({ time: null, dataschema: null, data: null }),
  ],
  ["structured, with a version as a number", () => structured({ schemaversion: 1, data: {} })],
])("a CloudEvent %s is folded", (_what, record) => {
  projector.foldBatch([record()]);
  expect(deadLettersOf(projector.store)).toEqual([]);
  expect(view().lead.id).toBe("lead-1");
});

test("an event without a time of its own has its record's, and none is made up", () => {
  projector.foldBatch([binary({}), binary({ ce_id: "2", ce_type: "lead.opted_out" }, null)]);
  expect(view().status).toBe("OPTED_OUT");
  projector.foldBatch([binary({ ce_id: "3" }, "{}", { timestamp: NO_TIMESTAMP })]);
  expect(codes()).toEqual(["no_time"]);
});

test("only a null value without any attribute erases", () => {
  projector.foldBatch([
    binary({}),
    binary({ ce_id: "2", ce_type: "lead.deleted" }, '{"deletedAt":"2026-03-01T00:00:00Z"}'),
    binary({ ce_id: "3", ce_type: "lead.restored" }, null),
    speaker.record("omni.lead", { headers: { ce_id: "4" } }),
    speaker.record("omni.lead", { headers: { CE_Type: "lead.restored" } }),
    speaker.record("omni.lead", { headers: { ce_type: null } }),
    speaker.record("omni.lead", { headers: { "content-type": "application/cloudevents+json" } }),
    speaker.record("omni.webhook", { headers: HEADERS }),
  ]);
  expect(view().lead.deletedAt).toBeNull();
  expect(codes().sort()).toEqual([
    "invalid_event",
    "invalid_event",
    "invalid_event",
    "invalid_event",
    "wrong_topic",
  ]);
  projector.foldBatch([speaker.record("omni.lead", { headers: { traceparent: "x" } })]);
  expect(view()).toBeNull();
});

test.each([
  ["a batch", "unsupported_content", () => structured({}, "application/cloudevents-batch+json")],
  ["another format", "unsupported_content", () => structured({}, "application/cloudevents+avro")],
  ["data that is no JSON", "unsupported_content", () => binary({ "content-type": "text/plain" })],
  [
    "structured data that is no JSON",
    "unsupported_content",
    () => structured({ datacontenttype: "text/plain", data: "x" }),
  ],
  ["both kinds of data", "invalid_event", () => structured({ data: {}, data_base64: "e30=" })],
  ["data that is not base64", "invalid_event", () => structured({ data_base64: "{}" })],
  ["base64 of no JSON", "not_json", () => structured({ data_base64: "eA==" })],
  ["another specversion", "unsupported_version", () => binary({ ce_specversion: "0.3" })],
  ["no id", "invalid_event", () => binary({ ce_id: null })],
  ["another lead's subject", "key_mismatch", () => binary({ ce_subject: "lead-2" })],
  ["an unknown type", "unknown_event", () => binary({ ce_type: "toString" })],
  ["data that is null", "not_an_object", () => binary({}, "null")],
])("a CloudEvent with %s is a dead letter", (_what, code, record) => {
  projector.foldBatch([record()]);
  expect(codes()).toEqual([code]);
});

test("an erase forgets a dead letter that named its lead by the subject alone", () => {
  projector.foldBatch([
    binary({ ce_subject: "lead-1", ce_type: "lead.exploded" }, "{}", { key: null }),
    binary({}),
    speaker.record("omni.lead", {}),
  ]);
  expect(codes()).toEqual([]);
});
