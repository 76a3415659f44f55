import { type Event, TOPICS, topicOf } from "../../shared/events/catalogue.ts";
import type { SourceRecord } from "../source/source.ts";
import { cloudEventEnvelope, isCloudEvent } from "./cloud-events.ts";
import { DecodeError } from "./decode-error.ts";
import { checkJson, parseJson } from "./json.ts";
import { UPCASTERS, type Upcasters, upcast } from "./upcast.ts";
import { validateEvent } from "./validate.ts";
import { webhookEvents } from "./webhook.ts";

/** What a record says: events of one lead, in order, or that the lead is erased. */
export type Decoded =
  | { readonly leadId: string; readonly events: readonly Event[] }
  | { readonly leadId: string; readonly erase: true };

export type Decode = (record: SourceRecord) => Decoded;

interface DecodeOptions {
  /** Bytes; a larger value is refused. */
  readonly maxEventBytes: number;
  /** The workspace of webhook bodies that name none; undefined = such bodies are refused. */
  readonly webhookWorkspaceId: string | undefined;
  /** Absent = the catalogue's. */
  readonly upcasters?: Upcasters;
}

const ERASING_TOPICS: ReadonlySet<string> = new Set([TOPICS.lead, TOPICS.webhook]);
const KNOWN_TOPICS: ReadonlySet<string> = new Set(Object.values(TOPICS));

/**
 * Makes the function that turns a record into events (design.md section 3). It never throws anything but
 * DecodeError for a bad record.
 */
export function createDecoder({
  maxEventBytes,
  webhookWorkspaceId,
  upcasters = UPCASTERS,
}: DecodeOptions): Decode {
  return (record) => {
    if (record.unreadable !== undefined) throw new DecodeError("unreadable", record.unreadable);
    if (!KNOWN_TOPICS.has(record.topic))
      throw new DecodeError("unknown_topic", "no projection reads this topic");
    const key = record.key === null ? null : record.key.toString("utf8");
    const value = valueObject(record, maxEventBytes);
    if (value === null) return { leadId: erasedLead(record.topic, key), erase: true };
    const events =
      record.topic === TOPICS.webhook
        ? webhookEvents(record, value, webhookWorkspaceId)
        : [validateEvent(upcast(envelopeOf(record, key, value), upcasters))];
    const leadId = (events[0] as Event).leadId;
    if (key !== null && key !== leadId) {
      throw new DecodeError("key_mismatch", "the record's key and the event's leadId differ");
    }
    if (record.topic !== TOPICS.webhook) checkTopic(record.topic, events[0] as Event);
    return { leadId, events };
  };
}

function valueObject(record: SourceRecord, maxEventBytes: number): Record<string, unknown> | null {
  const { json } = record;
  if (json === undefined && record.value === null) return null;
  // A UTF-16 unit is at most three bytes of UTF-8: most values need no exact count.
  if (!json || json.text.length * 3 > maxEventBytes) {
    const size = (record.value as Buffer).length;
    if (size > maxEventBytes) throw tooLarge(size, maxEventBytes);
  }
  if (json) checkJson(json.text, json.value);
  const value = json ? json.value : parseJson(record.value as Buffer);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DecodeError("not_an_object", "the value is JSON, but not an object");
  }
  return value as Record<string, unknown>;
}

const tooLarge = (size: number, most: number) =>
  new DecodeError("too_large", `the value has ${size} bytes; MAX_EVENT_BYTES allows ${most}`);

function erasedLead(topic: string, key: string | null): string {
  if (!ERASING_TOPICS.has(topic)) {
    throw new DecodeError("wrong_topic", `a tombstone erases a lead on ${TOPICS.lead}; here it says nothing`);
  }
  if (key === null || key === "") throw new DecodeError("no_key", "a tombstone without a key names no lead");
  return key;
}

const envelopeOf = (record: SourceRecord, key: string | null, value: Record<string, unknown>) =>
  isCloudEvent(record.headers) ? cloudEventEnvelope(record.headers, key, value) : value;

function checkTopic(topic: string, event: Event): void {
  const owner = topicOf(event.event);
  if (owner !== topic) throw new DecodeError("wrong_topic", `${event.event} belongs on ${owner}`);
}
