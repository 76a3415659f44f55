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

/** The same, for a section of many entities. */
export interface RunWriter extends SectionWriter {
  /** Writes entities that were put together before. */
  run(run: Run): void;
}

/** A part of a section that is put together once, and copied until something of it changes. */
export interface Run {
  readonly bytes: Buffer;
  /** Their places are counted from the run's first byte. */
  readonly urlSlots: readonly UrlSlot[];
  readonly hash: SectionHash;
}

/** Puts a view together, section by section. */
export interface BodyBuilder {
  /** Writes the next section anew. */
  section(write: (section: RunWriter) => void): void;
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

/** Collects text, and the bytes behind which URLs go. */
function createText(): SectionWriter & {
  /** What was collected, with places counted from its first byte; it begins anew then. */
  take(): { readonly text: string; readonly urlSlots: UrlSlot[] };
} {
  /** The text up to the last URL, and what stands behind that. */
  let written = "";
  let open = "";
  /** The byte behind `written`. */
  let end = 0;
  let urlSlots: UrlSlot[] = [];
  return {
    text(text) {
      open += text;
    },
    url(storageKey) {
      if (storageKey === null || storageKey === undefined) {
        open += "null";
        return;
      }
      open += '"';
      end += Buffer.byteLength(open);
      written += open;
      urlSlots.push([end, storageKey]);
      open = '"';
    },
    take() {
      const taken = { text: written + open, urlSlots };
      [written, open, end, urlSlots] = ["", "", 0, []];
      return taken;
    },
  };
}

/** Puts entities together that are to be copied as they are. */
export function createRun(write: (section: SectionWriter) => void): Run {
  const collected = createText();
  write(collected);
  const { text, urlSlots } = collected.take();
  const bytes = Buffer.from(text);
  return { bytes, urlSlots, hash: hashOf(bytes, urlSlots) };
}

export function createBody(): BodyBuilder {
  const urlSlots: UrlSlot[] = [];
  const sectionEnds: number[] = [];
  const sectionHashes: SectionHash[] = [];
  let offset = 0;
  const collected = createText();
  /** Of the section's runs, with the text between them; undefined where it has none. */
  let hashes: string | undefined;
  const addSlots = (slots: readonly UrlSlot[]) => {
    for (const [at, storageKey] of slots) urlSlots.push([at + offset, storageKey]);
  };
  /** Writes what was collected. */
  const flush = (): { readonly bytes: Buffer; readonly slots: readonly UrlSlot[] } => {
    const { text, urlSlots: slots } = collected.take();
    addSlots(slots);
    const start = offset;
    offset = append(text, start);
    return { bytes: scratch.subarray(start, offset), slots };
  };
  const section: RunWriter = {
    text: collected.text,
    url: collected.url,
    run({ bytes, urlSlots: slots, hash }) {
      const before = flush();
      hashes = `${hashes ?? ""}${hashOf(before.bytes, before.slots)}${hash}`;
      addSlots(slots);
      reserve(offset, bytes.length);
      bytes.copy(scratch, offset);
      offset += bytes.length;
    },
  };
  return {
    section(write) {
      hashes = undefined;
      write(section);
      const { bytes, slots } = flush();
      const last = hashOf(bytes, slots);
      sectionHashes.push(hashes === undefined ? last : sectionHash(Buffer.from(hashes + last)));
      sectionEnds.push(offset);
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

function hashOf(bytes: Buffer, urlSlots: readonly UrlSlot[]): SectionHash {
  if (urlSlots.length === 0) return sectionHash(bytes);
  const keys = urlSlots.map(([, storageKey]) => storageKey);
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
