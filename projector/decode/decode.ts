import { type Event, TOPICS, topicOf } from "../../shared/events/catalogue.ts";
import { isObject, isRaw, parseExactly, plain } from "../../shared/events/exact-json.ts";
import { partitionOfWorkspace } from "../../shared/shard.ts";
import type { SourceRecord } from "../source/source.ts";
import {
  binaryEnvelope,
  type CloudEventMode,
  cloudEventMode,
  type Envelope,
  requireJsonData,
  structuredEnvelope,
} from "./cloud-events.ts";
import { DecodeError } from "./decode-error.ts";
import { type CheckedJson, checkJson, parseBytes } from "./json.ts";
import type { DocumentStore } from "./storage-key.ts";
import { UPCASTERS, type Upcasters, upcast } from "./upcast.ts";
import { validateEvent } from "./validate.ts";
import { webhookEvents } from "./webhook.ts";

/** What a record says: events of one lead, in order, or that the lead is erased. */
export type Decoded = {
  /** The topic that it came on. */
  readonly topic: string;
  readonly leadId: string;
} & (
  | {
      readonly events: readonly Event[];
      /** What a repeat is known by; null where the events' ids are positions, which never come again. */
      readonly eventKey: string | null;
    }
  | { readonly erase: true }
);

export type Decode = (record: SourceRecord) => Decoded;

interface DecodeOptions {
  /** Bytes; a larger value is refused. */
  readonly maxEventBytes: number;
  /** The workspace of webhook bodies that name none; undefined = such bodies are refused. */
  readonly webhookWorkspaceId: string | undefined;
  /** How many partitions the events are spread over by their workspaces; absent = they are not. */
  readonly workspacePartitions?: number | undefined;
  /** Where documents are, to tell their keys from their URLs; undefined = unknown. */
  readonly s3?: DocumentStore | undefined;
  /** Absent = the catalogue's. */
  readonly upcasters?: Upcasters;
}

const ERASING_TOPICS: ReadonlySet<string> = new Set([TOPICS.lead, TOPICS.webhook]);
const KNOWN_TOPICS: ReadonlySet<string> = new Set(Object.values(TOPICS));

/** Makes the function that turns a record into events. It never throws anything but DecodeError for a bad record. */
export function createDecoder({
  maxEventBytes,
  webhookWorkspaceId,
  workspacePartitions,
  s3,
  upcasters = UPCASTERS,
}: DecodeOptions): Decode {
  const webhooks = { defaultWorkspaceId: webhookWorkspaceId, documentStore: s3 };
  return (record) => {
    const { topic, headers } = record;
    if (record.unreadable !== undefined) throw new DecodeError("unreadable", record.unreadable);
    if (!KNOWN_TOPICS.has(topic)) throw new DecodeError("unknown_topic", "no projection reads this topic");
    const key = record.key === null ? null : record.key.toString("utf8");
    const mode = cloudEventMode(headers);
    const value = valueObject(record, maxEventBytes, mode);
    // A CloudEvent without a value is an event without data (rule: CloudEvents).
    if (value === null && mode === undefined) return { topic, leadId: erasedLead(topic, key), erase: true };
    if (topic === TOPICS.webhook) {
      const events = webhookEvents(record, bodyOf(value), webhooks);
      const leadId = leadOf(events, key);
      requirePartition(record, events, workspacePartitions);
      return { topic, leadId, events, eventKey: null };
    }
    const envelope = envelopeOf(record, value, mode);
    const event = eventOf(envelope, upcasters);
    const leadId = leadOf([event], key);
    checkTopic(topic, event);
    requirePartition(record, [event], workspacePartitions);
    return { topic, leadId, events: [event], eventKey: eventKey(event, envelope) };
  };
}

/** What a record says; undefined for one that is no event, and so belongs to no lead. */
export function decodedOf(decode: Decode, record: SourceRecord): Decoded | undefined {
  try {
    return decode(record);
  } catch {
    return undefined;
  }
}

function leadOf(events: readonly Event[], key: string | null): string {
  const { leadId } = events[0] as Event;
  if (key !== null && key !== leadId)
    throw new DecodeError("key_mismatch", "the record's key and the event's leadId differ");
  return leadId;
}

/** A CloudEvent's id is unique within its source. */
const eventKey = ({ id }: Event, { source }: Envelope): string =>
  source === undefined ? id : JSON.stringify([source, id]);

function valueObject(
  record: SourceRecord,
  maxEventBytes: number,
  mode: CloudEventMode | undefined,
): CheckedJson | null {
  const { json } = record;
  if (json === undefined && record.value === null) return null;
  // A UTF-16 unit is at most three bytes of UTF-8: most values need no exact count.
  if (!json || json.text.length * 3 > maxEventBytes) {
    const size = (record.value as Buffer).length;
    if (size > maxEventBytes) throw tooLarge(size, maxEventBytes);
  }
  if (mode === "binary") requireJsonData(record.headers);
  const checked = json
    ? checkJson(json.text, json.value, (text) => json.within(parseExactly(text)))
    : parseBytes(record.value as Buffer);
  if (!isObject(checked.value))
    throw new DecodeError("not_an_object", "the value is JSON, but not an object");
  return checked;
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

function envelopeOf(
  record: SourceRecord,
  value: CheckedJson | null,
  mode: CloudEventMode | undefined,
): Envelope {
  if (mode === "binary") return binaryEnvelope(record, value ?? undefined);
  if (value === null) throw new DecodeError("invalid_event", "the CloudEvent has no value to be read from");
  return mode === "structured" ? structuredEnvelope(record, value) : value;
}

function eventOf({ value, exact }: Envelope, upcasters: Upcasters): Event {
  const envelope = value as Readonly<Record<string, unknown>>;
  const counted = isRaw(envelope.schemaVersion)
    ? { ...envelope, schemaVersion: plain(envelope.schemaVersion) }
    : envelope;
  return validateEvent(upcast(counted, upcasters), exact);
}

function bodyOf(value: CheckedJson | null): CheckedJson {
  if (value === null)
    throw new DecodeError("wrong_topic", `a CloudEvent without data says nothing on ${TOPICS.webhook}`);
  return value;
}

function checkTopic(topic: string, event: Event): void {
  const owner = topicOf(event.event);
  if (owner !== topic) throw new DecodeError("wrong_topic", `${event.event} belongs on ${owner}`);
}

/**
 * An event that is not where its workspace's others are would be folded by another shard: matching leads would miss it,
 * and readers would not find it (rule: a workspace is one shard's). A record's events are all of one workspace.
 */
function requirePartition(
  { partition }: SourceRecord,
  [event]: readonly Event[],
  partitions: number | undefined,
): void {
  if (partitions === undefined || event === undefined) return;
  const own = partitionOfWorkspace(event.workspaceId, partitions);
  if (own === partition) return;
  throw new DecodeError(
    "wrong_partition",
    `this is partition ${partition}; the event's workspace has partition ${own} of ${partitions}: produce it there`,
  );
}
