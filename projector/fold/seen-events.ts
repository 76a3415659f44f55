import { hash } from "node:crypto";
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

/** What is remembered of an event: 64 bits of its key's hash. */
export const markOf = (eventKey: string): string => hash("sha256", eventKey, "binary").slice(0, WIDTH);

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
