import * as Schema from "@effect/schema/Schema";

/** An entity's id: 1 to 200 characters, none of them a control character or a lone surrogate. */
export const Id = Schema.String.check(
  Schema.isMinLength(1),
  Schema.isMaxLength(200),
  Schema.isPattern(/^[^\u0000-\u001f\u007f\ud800-\udfff]*$/u),
);

/** An event's id: any text that has UTF-8. */
export const EventId = Schema.String.check(Schema.isPattern(/^[^\ud800-\udfff]+$/u));

/**
 * The key of an object in the document store: 1 to 1,024 characters (S3's own limit), no control characters, and no
 * segment that is `.` or `..`, which some readers of its URL would resolve to another object's key.
 */
export const StorageKey = Schema.String.check(
  Schema.isMinLength(1),
  Schema.isMaxLength(1024),
  Schema.isPattern(/^(?!(?:[\s\S]*\/)?\.{1,2}(?:\/|$))[^\u0000-\u001f\u007f\ud800-\udfff]*$/u),
);

/**
 * A time: RFC 3339, so ISO-8601 with a zone, years 0000 to 9999. Decoding brings it to UTC with milliseconds; a leap
 * second becomes the last millisecond of its minute.
 */
export const Time = Schema.String.check(
  Schema.isPattern(
    /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[-+]([01]\d|2[0-3]):[0-5]\d)$/u,
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
