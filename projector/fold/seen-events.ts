import { TOPICS } from "../../shared/events/catalogue.ts";

// Rule: repeats. An event that its topic folded into the lead lately is passed over: what sends events again after a
// crash, as outboxes do, must not put an old value over a newer one. Only the order inside of the topic decides.

/** Events that are remembered of a lead's part and topic: those that it saw last, however often it saw them. */
export const REMEMBERED = 128;

/** What is remembered of an event: 52 bits of a hash of its key, which a double holds. */
export type Mark = number;

/** The marks of one topic's events, the latest last. */
export type Marks = Mark[];

/** Of a lead's part, by topic. */
export type SeenEvents = Map<string, Marks>;

/**
 * Two hashes of 32 bits, mixed as MurmurHash3 ends. A cryptographic one costs three times as much, and would guard nobody:
 * whoever chooses an event's id can as well send another event.
 */
export function markOf(eventKey: string): Mark {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < eventKey.length; index++) {
    const unit = eventKey.charCodeAt(index);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  const high = mixed(a) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  const low = mixed(b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (high >>> 12) * 2 ** 32 + (low >>> 0);
}

const mixed = (half: number): number => Math.imul(half ^ (half >>> 16), 0x85ebca6b);

export const hasMark = (marks: Marks, mark: Mark): boolean => marks.includes(mark);

/** Puts the mark last; the oldest makes room for it. */
export function remember(marks: Marks, mark: Mark): void {
  const place = marks.indexOf(mark);
  if (place >= 0) marks.splice(place, 1);
  else if (marks.length >= REMEMBERED) marks.shift();
  marks.push(mark);
}

/** Their order in the stored bytes. */
const REMEMBERING_TOPICS = [TOPICS.lead, TOPICS.checklist, TOPICS.document, TOPICS.actionLog] as const;
const WIDTH = 8;

/** What the store keeps: of each topic the number of its marks, in one byte, and the marks. Null where there are none. */
export function encodeSeen(seen: SeenEvents): Buffer | null {
  if (seen.size === 0) return null;
  let size = REMEMBERING_TOPICS.length;
  for (const marks of seen.values()) size += marks.length * WIDTH;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const topic of REMEMBERING_TOPICS) {
    const marks = seen.get(topic) ?? [];
    at = bytes.writeUInt8(marks.length, at);
    for (const mark of marks) at = bytes.writeDoubleLE(mark, at);
  }
  return bytes;
}

/** The inverse of `encodeSeen`. */
export function decodeSeen(bytes: Buffer | null): SeenEvents {
  const seen: SeenEvents = new Map();
  if (bytes === null) return seen;
  let at = 0;
  for (const topic of REMEMBERING_TOPICS) {
    const marks: Marks = [];
    const end = at + 1 + (bytes[at] as number) * WIDTH;
    for (at++; at < end; at += WIDTH) marks.push(bytes.readDoubleLE(at));
    if (marks.length > 0) seen.set(topic, marks);
  }
  return seen;
}
