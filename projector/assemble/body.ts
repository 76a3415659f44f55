import type { UrlSlot } from "../../shared/view/row.ts";

/** The finished bytes of a view, and where its presigned URLs go (rule: signed at the read). */
export interface AssembledView {
  readonly body: Buffer;
  readonly urlSlots: readonly UrlSlot[];
  /** The byte behind each field of the view, in the view's order. */
  readonly sectionEnds: readonly number[];
  readonly status: string;
}

/** Collects a view's JSON text from front to back. */
export interface BodyBuilder {
  text(text: string): void;
  /** Leaves room for a document's URL; one without an object in the store has none: null. */
  url(storageKey: string | null | undefined): void;
  /** Notes that a field of the view ends here. */
  endSection(): void;
  finish(): Omit<AssembledView, "status">;
}

/** A piece of the text, and what comes behind it. */
interface Piece {
  readonly text: string;
  /** The object whose URL goes here; null where a section ends. */
  readonly storageKey: string | null;
}

/** Where bodies are put together, one after the other; it grows as they do. */
let scratch = Buffer.allocUnsafe(64 * 1_024);
/** A UTF-16 unit takes three bytes of UTF-8 at most. */
const MOST_BYTES_A_UNIT = 3;

/** Writes the text behind what is there, and returns the byte behind it. */
function append(text: string, offset: number): number {
  const needed = offset + text.length * MOST_BYTES_A_UNIT;
  if (needed > scratch.length) {
    const larger = Buffer.allocUnsafe(2 * needed);
    scratch.copy(larger, 0, 0, offset);
    scratch = larger;
  }
  return offset + scratch.write(text, offset);
}

export function createBody(): BodyBuilder {
  const pieces: Piece[] = [];
  let open = "";
  return {
    text(text) {
      open += text;
    },
    url(storageKey) {
      if (storageKey === null || storageKey === undefined) {
        open += "null";
        return;
      }
      pieces.push({ text: `${open}"`, storageKey });
      open = '"';
    },
    endSection() {
      pieces.push({ text: open, storageKey: null });
      open = "";
    },
    finish() {
      const urlSlots: UrlSlot[] = [];
      const sectionEnds: number[] = [];
      let offset = 0;
      for (const { text, storageKey } of pieces) {
        offset = append(text, offset);
        if (storageKey === null) sectionEnds.push(offset);
        else urlSlots.push([offset, storageKey]);
      }
      return { body: Buffer.from(scratch.subarray(0, append(open, offset))), urlSlots, sectionEnds };
    },
  };
}

/** Writes the elements of a JSON array. */
export function writeArray<T>(body: BodyBuilder, elements: readonly T[], write: (element: T) => void): void {
  body.text("[");
  elements.forEach((element, index) => {
    if (index > 0) body.text(",");
    write(element);
  });
  body.text("]");
}

/** Joins groups of JSON members, some of which may be empty, into one run. */
export const joinMembers = (...members: readonly string[]): string =>
  members.filter((text) => text !== "").join(",");
