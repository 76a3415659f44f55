import { TOPICS } from "../../shared/events/catalogue.ts";

// Rule: repeats. An event that its topic folded into the lead lately is passed over: what sends events again after a
// crash, as outboxes do, must not put an old value over a newer one. Only the order inside of the topic decides.

/** Events that are remembered of a lead's part and topic: those that it saw last, however often it saw them. */
export const REMEMBERED = 128;

/** Characters of one event's mark. */
const WIDTH = 8;

/** The marks of one topic's events, the latest last, 8 characters of Latin-1 each. */
export type Marks = string;

/** Of a lead's part, by topic. */
export type SeenEvents = Map<string, Marks>;

/**
 * What is remembered of an event: a hash of its key, of 64 bits (two of 32, mixed as MurmurHash3 ends). A cryptographic one
 * costs three times as much, and would guard nobody: whoever chooses an event's id can as well send another event.
 */
export function markOf(eventKey: string): string {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < eventKey.length; index++) {
    const unit = eventKey.charCodeAt(index);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  const x = mixed(a) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  const y = mixed(b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return String.fromCharCode(
    x & 255,
    (x >>> 8) & 255,
    (x >>> 16) & 255,
    x >>> 24,
    y & 255,
    (y >>> 8) & 255,
    (y >>> 16) & 255,
    y >>> 24,
  );
}

const mixed = (half: number): number => Math.imul(half ^ (half >>> 16), 0x85ebca6b);

export const hasMark = (marks: Marks, mark: string): boolean => placeOf(marks, mark) >= 0;

/** The marks with this one last; the oldest makes room for it. */
export function withMark(marks: Marks, mark: string): Marks {
  const place = placeOf(marks, mark);
  if (place >= 0) return marks.slice(0, place) + marks.slice(place + WIDTH) + mark;
  return marks.length < REMEMBERED * WIDTH ? marks + mark : marks.slice(WIDTH) + mark;
}

function placeOf(marks: Marks, mark: string): number {
  let place = marks.indexOf(mark);
  // A mark may also be found across two others.
  while (place % WIDTH > 0) place = marks.indexOf(mark, place + 1);
  return place;
}

/** Their order in the stored bytes. */
const REMEMBERING_TOPICS = [TOPICS.lead, TOPICS.checklist, TOPICS.document, TOPICS.actionLog] as const;

/** What the store keeps: of each topic the number of its marks, in one byte, and the marks. Null where there are none. */
export function encodeSeen(seen: SeenEvents): Buffer | null {
  if (seen.size === 0) return null;
  const text = REMEMBERING_TOPICS.map((topic) => {
    const marks = seen.get(topic) ?? "";
    return String.fromCharCode(marks.length / WIDTH) + marks;
  });
  return Buffer.from(text.join(""), "latin1");
}

/** The inverse of `encodeSeen`. */
export function decodeSeen(bytes: Buffer | null): SeenEvents {
  const seen = new Map<string, Marks>();
  if (bytes === null) return seen;
  let start = 0;
  for (const topic of REMEMBERING_TOPICS) {
    const end = start + 1 + (bytes[start] as number) * WIDTH;
    if (end > start + 1) seen.set(topic, bytes.toString("latin1", start + 1, end));
    start = end;
  }
  return seen;
}
