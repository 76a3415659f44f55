/** Why a well-formed event can't be folded, in one word for counting and filtering. */
export type FoldErrorCode = "unknown_entity" | "duplicate_entity" | "identity_mismatch";

/** An event that contradicts the state: it becomes a dead letter. The message says what is wrong and what would help. */
export class FoldError extends Error {
  override readonly name = "FoldError";
  readonly code: FoldErrorCode;

  constructor(code: FoldErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
