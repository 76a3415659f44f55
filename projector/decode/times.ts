import { Time } from "../../shared/events/fields.ts";
import { DecodeError } from "./decode-error.ts";

type Normalize = (node: never) => void;
interface SchemaNode {
  readonly fields?: Readonly<Record<string, SchemaNode>>;
  readonly members?: readonly SchemaNode[];
  readonly schema?: SchemaNode;
  readonly value?: SchemaNode;
}

const LEAP_SECOND = /:60(?:\.\d+)?(?=[Zz+-])/;
const BEYOND_MILLISECONDS = /(\.\d{3})\d+/;

/**
 * Brings a time to ISO-8601 UTC with milliseconds; finer digits are cut off. A leap second, which dates don't count,
 * becomes the last millisecond of its minute.
 * @param text of the form that the Schema `Time` asks for
 * @throws DecodeError invalid_event where the calendar has no such day, or the day no such second
 */
export function normalizeTime(text: string): string {
  // The common case, in place: UTC, milliseconds, a day that every month has, no leap second.
  if (
    text.length === 24 &&
    text.charCodeAt(10) === UPPER_T &&
    text.charCodeAt(23) === UPPER_Z &&
    text.charCodeAt(17) !== DIGIT_SIX &&
    text.slice(8, 10) <= "28"
  )
    return text;
  const upper = text.toUpperCase().replace(BEYOND_MILLISECONDS, "$1");
  const isLeapSecond = LEAP_SECOND.test(upper);
  const time = Date.parse(isLeapSecond ? upper.replace(LEAP_SECOND, ":59.999") : upper);
  if (Number.isNaN(time) || Number(text.slice(8, 10)) > daysInMonth(text)) {
    throw new DecodeError("invalid_event", "a time names a day that the calendar does not have");
  }
  const iso = new Date(time).toISOString();
  // An offset can push the first or last hours of the four-digit years over the edge.
  if (iso.length !== 24) throw new DecodeError("invalid_event", "a time is outside the years 0000 to 9999");
  if (isLeapSecond && !iso.endsWith("T23:59:59.999Z"))
    throw new DecodeError("invalid_event", "a time has a leap second that is not at the end of a day in UTC");
  return iso;
}

const UPPER_T = 0x54;
const UPPER_Z = 0x5a;
const DIGIT_SIX = 0x36;

/** Of the month of a time's own text. Dates count years below 100 from 1900, unless they are set by name. */
function daysInMonth(text: string): number {
  const date = new Date(0);
  date.setUTCFullYear(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0);
  return date.getUTCDate();
}

/**
 * Makes the function that normalizes, in place, every time that a Schema names; undefined where it names none.
 * Derived from the Schema, so that a time field is declared once.
 */
export function timeNormalizer(schema: unknown): Normalize | undefined {
  const node = bare(schema as SchemaNode);
  if (node.value !== undefined) {
    const element = timeNormalizer(node.value);
    return element && ((list: never[]) => list.forEach(element));
  }
  if (node.fields === undefined) return undefined;
  const times: string[] = [];
  const children: { name: string; normalize: (child: unknown) => void }[] = [];
  for (const [name, field] of Object.entries(node.fields)) {
    if (bare(field) === (Time as SchemaNode)) times.push(name);
    const normalize = timeNormalizer(field);
    if (normalize) children.push({ name, normalize: normalize as (child: unknown) => void });
  }
  if (times.length === 0 && children.length === 0) return undefined;
  return (object: Record<string, unknown>) => {
    for (const name of times) {
      const text = object[name];
      if (typeof text === "string") object[name] = normalizeTime(text);
    }
    for (const { name, normalize } of children) {
      const child = object[name];
      if (child !== undefined && child !== null) normalize(child);
    }
  };
}

/** The Schema below `optionalKey` and `NullOr`. */
function bare(schema: SchemaNode): SchemaNode {
  if (schema.schema !== undefined) return bare(schema.schema);
  if (schema.members?.length === 2 && schema.members[0] !== undefined) return bare(schema.members[0]);
  return schema;
}
