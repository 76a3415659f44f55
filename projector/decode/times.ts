import { Time } from "../../shared/events/fields.ts";
import { DecodeError } from "./decode-error.ts";

type Normalize = (node: never) => void;
interface SchemaNode {
  readonly fields?: Readonly<Record<string, SchemaNode>>;
  readonly members?: readonly SchemaNode[];
  readonly schema?: SchemaNode;
  readonly value?: SchemaNode;
}

/**
 * Brings a time to ISO-8601 UTC with milliseconds (design.md section 6); finer digits are cut off.
 * @throws DecodeError invalid_event where the calendar has no such day
 */
export function normalizeTime(text: string): string {
  // The common case, in place: UTC, milliseconds, a day that every month has.
  if (text.length === 24 && text.endsWith("Z") && text.slice(8, 10) <= "28") return text;
  const daysInMonth = new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
  const time = Date.parse(text);
  if (Number.isNaN(time) || Number(text.slice(8, 10)) > daysInMonth) {
    throw new DecodeError("invalid_event", "a time names a day that the calendar does not have");
  }
  const iso = new Date(time).toISOString();
  // An offset can push the first or last hours of the four-digit years over the edge.
  if (iso.length !== 24) throw new DecodeError("invalid_event", "a time is outside the years 0000 to 9999");
  return iso;
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
