import { isObject, plain } from "../../shared/events/exact-json.ts";
import { givenName, headerText } from "../source/headers.ts";
import { type Headers, NO_TIMESTAMP, type SourceRecord } from "../source/source.ts";
import { DecodeError } from "./decode-error.ts";
import { type CheckedJson, parseBytes } from "./json.ts";

/** How a record carries a CloudEvent, by Kafka's protocol binding: its attributes as headers, or all as one JSON. */
export type CloudEventMode = "binary" | "structured";

/** An event as its envelope; a CloudEvent's says where it comes from. */
export interface Envelope extends CheckedJson {
  readonly source?: unknown;
}

/** One of them is enough to tell that the record wants to be a CloudEvent, and is no tombstone. */
const ATTRIBUTES = ["ce_type", "ce_specversion", "ce_id"] as const;
const CONTENT_TYPE = "content-type";
const STRUCTURED = "application/cloudevents";
const BATCH = "application/cloudevents-batch";
const JSON_TYPE = /^(?:application\/json|text\/json|[^/;\s]+\/[^/;\s]+\+json)\s*(?:;|$)/i;

/**
 * Whether the record is a CloudEvent: its content type says that its value is one, or its headers begin with `ce_`.
 * @throws DecodeError unsupported_content for batches, and for formats other than JSON
 */
export function cloudEventMode(headers: Headers): CloudEventMode | undefined {
  const type = headerText(headers, CONTENT_TYPE)?.trim().toLowerCase();
  if (type?.startsWith(STRUCTURED)) {
    if (type.startsWith(BATCH)) {
      throw new DecodeError(
        "unsupported_content",
        "the value is a batch of CloudEvents; send one event a record, so that each has its lead's key",
      );
    }
    if (JSON_TYPE.test(type)) return "structured";
    throw new DecodeError("unsupported_content", "the CloudEvent is not in the JSON format; send it as that");
  }
  return ATTRIBUTES.some((name) => givenName(headers, name) !== undefined) ? "binary" : undefined;
}

/**
 * The envelope of a CloudEvent in binary mode: attributes from the headers, and the value, whatever its members are
 * called, is the data (rule: CloudEvents). The lead is the subject, else the record's key.
 * @param data undefined where the record has no value: an event without data
 */
export function binaryEnvelope(record: SourceRecord, data: CheckedJson | undefined): Envelope {
  const attribute = (name: string) => headerText(record.headers, `ce_${name}`);
  return envelopeOf(record, attribute, data?.value, data?.exact ?? false);
}

/** The same of one in structured mode, whose JSON has both. */
export function structuredEnvelope(record: SourceRecord, { value, exact }: CheckedJson): Envelope {
  const event = value as Readonly<Record<string, unknown>>;
  const attribute = (name: string) => {
    const given = Object.hasOwn(event, name) ? plain(event[name]) : undefined;
    // An extension may be a number or a boolean of JSON; as a header it is text.
    return given === undefined || given === null
      ? undefined
      : typeof given === "object"
        ? given
        : String(given);
  };
  const data = structuredData(event, attribute);
  return envelopeOf(record, attribute, data?.value, exact || (data?.exact ?? false));
}

/** @throws DecodeError unsupported_content where a binary-mode record's value is not JSON by its own word */
export function requireJsonData(headers: Headers): void {
  requireJson(headerText(headers, CONTENT_TYPE) ?? headerText(headers, "ce_datacontenttype"));
}

function requireJson(type: unknown): void {
  if (type !== undefined && !(typeof type === "string" && JSON_TYPE.test(type.trim()))) {
    throw new DecodeError("unsupported_content", "the CloudEvent's datacontenttype is not JSON; send JSON");
  }
}

type Attribute = (name: string) => unknown;

function structuredData(
  event: Readonly<Record<string, unknown>>,
  attribute: Attribute,
): { readonly value: unknown; readonly exact?: boolean } | undefined {
  const base64 = event.data_base64 ?? undefined;
  if (base64 === undefined && event.data === undefined) return undefined;
  requireJson(attribute("datacontenttype"));
  if (base64 === undefined) return { value: event.data };
  if (event.data !== undefined && event.data !== null)
    throw new DecodeError("invalid_event", "the CloudEvent has both data and data_base64");
  if (typeof base64 !== "string" || !BASE64.test(base64))
    throw new DecodeError("invalid_event", "/data_base64 must be base64");
  return parseBytes(Buffer.from(base64, "base64"));
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function envelopeOf(record: SourceRecord, attribute: Attribute, data: unknown, exact: boolean): Envelope {
  const version = attribute("specversion");
  if (version !== undefined && version !== "1.0")
    throw new DecodeError("unsupported_version", "the CloudEvent's specversion is not 1.0");
  const value = {
    id: attribute("id"),
    event: attribute("type"),
    occurredAt: attribute("time") ?? producedAt(record),
    workspaceId: attribute("workspaceid") ?? (isObject(data) ? data.workspaceId : undefined),
    leadId: attribute("subject") ?? record.key?.toString("utf8"),
    ...versionOf(attribute("schemaversion")),
    // An event without data, such as lead.restored, says all by its type.
    data: data ?? {},
  };
  return { value, exact, source: attribute("source") };
}

/** When the record was produced: ISO-8601. @throws DecodeError no_time where it does not say */
export function producedAt({ timestamp }: SourceRecord): string {
  if (timestamp === NO_TIMESTAMP)
    throw new DecodeError("no_time", "neither the event nor its record says when it occurred");
  return new Date(timestamp).toISOString();
}

/** A version's text as a number; text that is none is kept, for the schema to refuse. */
function versionOf(version: unknown): { readonly schemaVersion?: unknown } {
  if (version === undefined) return {};
  return {
    schemaVersion: typeof version === "string" && /^\d{1,9}$/.test(version) ? Number(version) : version,
  };
}
