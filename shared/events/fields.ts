import { Schema } from "@effect/schema";

/** An entity's id: 1 to 200 characters, none of them a control character (design.md section 7). */
export const Id = Schema.String.check(
  Schema.isMinLength(1),
  Schema.isMaxLength(200),
  Schema.isPattern(/^[^\u0000-\u001f\u007f]*$/u),
);

/** The key of an object in the document store: 1 to 1,024 characters, no control characters (S3's own limit). */
export const StorageKey = Schema.String.check(
  Schema.isMinLength(1),
  Schema.isMaxLength(1024),
  Schema.isPattern(/^[^\u0000-\u001f\u007f]*$/u),
);

/** A time: ISO-8601 with a zone, years 0000 to 9999. Decoding brings it to UTC with milliseconds. */
export const Time = Schema.String.check(
  Schema.isPattern(
    /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[-+]([01]\d|2[0-3]):[0-5]\d)$/u,
  ),
);

export const Text = Schema.String;
export const Json = Schema.Unknown;

/** What an item holds: text, a number, null, or the parts of an address. */
export const ItemValue = Schema.Union([
  Schema.String,
  Schema.Finite,
  Schema.Null,
  Schema.Record(Schema.String, Schema.Unknown),
]);

/** The field may be absent; given, it may be null. */
export const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema));

/** The field may be absent; given, it is of this type. */
export const given = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(schema);
