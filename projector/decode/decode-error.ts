/** Why a record is not an event, in one word for counting and filtering. */
export type DecodeErrorCode =
  | "unreadable"
  | "too_large"
  | "not_utf8"
  | "not_json"
  | "not_an_object"
  | "too_deep"
  | "prototype_key"
  | "unknown_event"
  | "unknown_topic"
  | "wrong_topic"
  | "wrong_partition"
  | "unsupported_version"
  | "unsupported_content"
  | "invalid_event"
  | "key_mismatch"
  | "no_key"
  | "no_time"
  | "no_workspace";

/** A record that can't be decoded: it becomes a dead letter. The message says what is wrong, never what it held. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  readonly code: DecodeErrorCode;

  constructor(code: DecodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
