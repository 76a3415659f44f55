import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import { type Event, type EventType, eventSchemas, topicOf } from "../../shared/events/catalogue.ts";
import { checkable, fitsDouble, isRaw } from "../../shared/events/exact-json.ts";
import { jsonSchemaOf } from "../../shared/events/json-schema.ts";
import { type WebhookBody, type WebhookType, webhookSchemas } from "../../shared/events/webhook.ts";
import { DecodeError } from "./decode-error.ts";
import { timeNormalizer } from "./times.ts";

// Ajv compiles the JSON Schemas that come from the Schemas: the same rules, checked some fifty times faster.
const ajv = new Ajv2020({ strict: false, allErrors: false });

interface Checked {
  readonly matches: (value: unknown) => boolean;
  readonly errors: () => ErrorObject[];
  readonly normalizeTimes: ((value: never) => void) | undefined;
}

const checkOfEvent = compiledOnUse(eventSchemas);
const checkOfWebhook = compiledOnUse(webhookSchemas);

/**
 * Types an envelope by its `event` and brings its times to UTC, in place.
 * @param exact true where numbers or texts in it stand by their source (rule: digits)
 * @throws DecodeError unknown_event, invalid_event with the path and the rule, never the value
 */
export function validateEvent(envelope: Readonly<Record<string, unknown>>, exact: boolean): Event {
  const type = envelope.event;
  if (typeof type !== "string") throw new DecodeError("invalid_event", "/event must be string");
  if (topicOf(type) === undefined)
    throw new DecodeError("unknown_event", "the event's type is not in the catalogue");
  return check(checkOfEvent(type as EventType), envelope, exact) as Event;
}

/** The same for a public webhook body. */
export function validateWebhook(body: Readonly<Record<string, unknown>>, exact: boolean): WebhookBody {
  const type = body.event;
  if (typeof type !== "string") throw new DecodeError("invalid_event", "/event must be string");
  if (!Object.hasOwn(webhookSchemas, type))
    throw new DecodeError("unknown_event", "the event is not a known webhook event");
  return check(checkOfWebhook(type as WebhookType), body, exact) as WebhookBody;
}

function check(checked: Checked, value: unknown, exact: boolean): unknown {
  if (!checked.matches(exact ? checkable(value) : value)) {
    const error = checked.errors()[0];
    const path = error?.instancePath ?? "";
    const told = exact ? atPath(value, path) : undefined;
    const more =
      isRaw(told) && !fitsDouble(told) ? "; the number there has more digits than can be counted with" : "";
    throw new DecodeError(
      "invalid_event",
      `${path || "/"} ${error?.message ?? "does not fit its schema"}${more}`,
    );
  }
  checked.normalizeTimes?.(value as never);
  return value;
}

/** What a JSON Pointer (RFC 6901) leads to. */
const atPath = (value: unknown, path: string): unknown =>
  path
    .split("/")
    .slice(1)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((node, name) => (node as Readonly<Record<string, unknown>> | undefined)?.[name], value);

/** Compiles a type's check when one of that type first comes: all of them would be half of the time that a program starts in. */
function compiledOnUse<T extends string>(schemas: Readonly<Record<T, unknown>>): (type: T) => Checked {
  const compiled = new Map<T, Checked>();
  return (type) => {
    const known = compiled.get(type);
    if (known !== undefined) return known;
    const schema = schemas[type];
    const matches = ajv.compile(jsonSchemaOf(schema as never, type) as object);
    const checked = { matches, errors: () => matches.errors ?? [], normalizeTimes: timeNormalizer(schema) };
    compiled.set(type, checked);
    return checked;
  };
}
