import { hash } from "node:crypto";
import type { UrlSlot } from "../../shared/view/row.ts";

/** The finished bytes of a view, and where its presigned URLs go (rule: signed at the read). */
export interface AssembledView {
  readonly body: Buffer;
  readonly urlSlots: readonly UrlSlot[];
  /** The byte behind each field of the view, in the view's order. */
  readonly sectionEnds: readonly number[];
  /** The hash of each field's bytes, in the view's order. */
  readonly sectionHashes: readonly SectionHash[];
  readonly status: string;
}

/** SECTION_HASH_CHARACTERS of ASCII: 96 bits of SHA-256 over a section's bytes and the objects whose URLs go there. */
export type SectionHash = string;
export const SECTION_HASH_CHARACTERS = 16;

/** Collects the JSON text of one section of a view, from front to back. */
export interface SectionWriter {
  text(text: string): void;
  /** Leaves room for a document's URL; one without an object in the store has none: null. */
  url(storageKey: string | null | undefined): void;
}

/** Puts a view together, section by section. */
export interface BodyBuilder {
  /** Writes the next section anew. */
  section(write: (section: SectionWriter) => void): void;
  /** Takes the next section as it was in a view before. */
  keep(before: AssembledView): void;
  finish(): Omit<AssembledView, "status">;
}

/** Where bodies are put together, one after the other; it grows as they do. */
let scratch = Buffer.allocUnsafe(64 * 1_024);
/** A UTF-16 unit takes three bytes of UTF-8 at most. */
const MOST_BYTES_A_UNIT = 3;

/** Makes room for so many bytes behind what is there. */
function reserve(offset: number, bytes: number): void {
  const needed = offset + bytes;
  if (needed <= scratch.length) return;
  const larger = Buffer.allocUnsafe(2 * needed);
  scratch.copy(larger, 0, 0, offset);
  scratch = larger;
}

/** Writes the text behind what is there, and returns the byte behind it. */
function append(text: string, offset: number): number {
  reserve(offset, text.length * MOST_BYTES_A_UNIT);
  return offset + scratch.write(text, offset);
}

export function createBody(): BodyBuilder {
  const urlSlots: UrlSlot[] = [];
  const sectionEnds: number[] = [];
  const sectionHashes: SectionHash[] = [];
  let offset = 0;
  let open = "";
  const section: SectionWriter = {
    text(text) {
      open += text;
    },
    url(storageKey) {
      if (storageKey === null || storageKey === undefined) {
        open += "null";
        return;
      }
      offset = append(`${open}"`, offset);
      urlSlots.push([offset, storageKey]);
      open = '"';
    },
  };
  return {
    section(write) {
      const start = offset;
      const slots = urlSlots.length;
      open = "";
      write(section);
      offset = append(open, offset);
      sectionEnds.push(offset);
      sectionHashes.push(hashOf(scratch.subarray(start, offset), urlSlots, slots));
    },
    keep(before) {
      const index = sectionEnds.length;
      const from = index === 0 ? 0 : (before.sectionEnds[index - 1] as number);
      const to = before.sectionEnds[index] as number;
      reserve(offset, to - from);
      before.body.copy(scratch, offset, from, to);
      for (const [at, storageKey] of before.urlSlots)
        if (at > from && at < to) urlSlots.push([at - from + offset, storageKey]);
      offset += to - from;
      sectionEnds.push(offset);
      sectionHashes.push(before.sectionHashes[index] as SectionHash);
    },
    finish: () => ({
      body: Buffer.from(scratch.subarray(0, append("}", offset))),
      urlSlots,
      sectionEnds,
      sectionHashes,
    }),
  };
}

/** @param first of the slots the first that is the section's own */
function hashOf(bytes: Buffer, urlSlots: readonly UrlSlot[], first: number): SectionHash {
  if (first === urlSlots.length) return sectionHash(bytes);
  const keys = urlSlots.slice(first).map(([, storageKey]) => storageKey);
  return sectionHash(Buffer.concat([bytes, Buffer.from(JSON.stringify(keys))]));
}

/** The hash of a section without URLs. */
export const sectionHash = (bytes: Buffer): SectionHash =>
  hash("sha256", bytes, "base64").slice(0, SECTION_HASH_CHARACTERS);

/** Writes the elements of a JSON array. */
export function writeArray<T>(
  section: SectionWriter,
  elements: Iterable<T>,
  write: (element: T) => void,
): void {
  section.text("[");
  let isFirst = true;
  for (const element of elements) {
    if (!isFirst) section.text(",");
    isFirst = false;
    write(element);
  }
  section.text("]");
}

/** Joins groups of JSON members, some of which may be empty, into one run. */
export const joinMembers = (...members: readonly string[]): string =>
  members.filter((text) => text !== "").join(",");
