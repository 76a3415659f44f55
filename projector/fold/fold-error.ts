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

/**
 * An event of an entity that the lead does not have at its place in the log. A retry keeps to the log's order, so it can't
 * help: the event has to come once more.
 * @param verb what makes the lead have one
 */
export const unknownEntity = (entity: string, verb: string): FoldError =>
  new FoldError(
    "unknown_entity",
    `the lead has no such ${entity} at this place of the log: send the event again once it was ${verb}, and discard this one`,
  );
