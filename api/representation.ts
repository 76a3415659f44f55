import { SECTIONS } from "../shared/view/change.ts";
import type { UrlSlot } from "../shared/view/row.ts";
import { bodyWithUrls } from "./body.ts";
import { compress, ENCODINGS, type Encoding, encodingFor } from "./compress.ts";
import type { Presigner } from "./presign.ts";
import type { HeldRow } from "./rows.ts";

/** A finished answer, and its body; null where there is none to send. */
export interface Answer {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

/** What a request says of the answer that it wants. */
export interface Wanted {
  readonly "if-none-match"?: string | undefined;
  readonly "accept-encoding"?: string | string[] | undefined;
}

/** A field of the view. */
export type Section = (typeof SECTIONS)[number];

/** Makes the answer of a lead's row, or of one field of it; at once where nothing is still to be compressed. */
export type Respond = (row: HeldRow, wanted: Wanted, section?: Section) => Answer | Promise<Answer>;

/** What was made of a row, or of one field of it. */
export interface Answers {
  /** The time bucket of its URLs; 0 where it has none. */
  readonly bucket: number;
  /** The entity tag, without its quotes. */
  readonly tag: string;
  readonly plain: Answer & { readonly body: Buffer };
  readonly encoded: Map<Encoding, Answer | Promise<Answer>>;
  /** Bytes that it takes beside the row's. */
  bytes: number;
}

/**
 * Answers with stored bytes, URLs spliced in where there are documents, compressed where the client asks for it; or 304
 * where the client has them. What took work to make stays with the row, within the time bucket of its URLs.
 * @param grow told of the bytes that were made, so that what is kept in memory is counted whole
 */
export function createResponder(presigner: Presigner, grow: (row: HeldRow, bytes: number) => void): Respond {
  const answersOf = (row: HeldRow, section: Section | undefined): Answers => {
    const place = section === undefined ? 0 : 1 + SECTIONS.indexOf(section);
    const known = row.answers[place];
    if (known !== undefined && (known.bucket === 0 || known.bucket === presigner.bucket())) return known;
    const { number, body, slots } = partOf(row, section);
    const bucket = slots === "" ? 0 : presigner.bucket();
    const tag = bucket === 0 ? String(number) : `${number}-${bucket.toString(36)}`;
    const whole = bucket === 0 ? body : bodyWithUrls(body, slots, (key) => presigner.url(key, bucket));
    // Where nothing is spliced in, the answer's body is the row's own memory.
    const bytes = OVERHEAD_BYTES + (whole === body ? 0 : whole.length);
    const answers: Answers = { bucket, tag, plain: withBody(whole, tag), encoded: new Map(), bytes };
    row.answers[place] = answers;
    grow(row, bytes - (known?.bytes ?? 0));
    return answers;
  };

  const encodedOf = (row: HeldRow, answers: Answers, encoding: Encoding): Answer | Promise<Answer> => {
    const known = answers.encoded.get(encoding);
    if (known !== undefined) return known;
    const compressing = compress(answers.plain.body, encoding).then((body) => {
      const answer = withBody(body, answers.tag, encoding);
      answers.encoded.set(encoding, answer);
      answers.bytes += body.length;
      // Answers of an older time bucket are in memory no more.
      if (row.answers.includes(answers)) grow(row, body.length);
      return answer;
    });
    // Compressed once, for all who want it so meanwhile.
    answers.encoded.set(encoding, compressing);
    compressing.catch(() => answers.encoded.delete(encoding));
    return compressing;
  };

  return (row, wanted, section) => {
    const answers = answersOf(row, section);
    const { plain, tag } = answers;
    const accepts = wanted["accept-encoding"];
    const encoding = accepts === undefined ? undefined : encodingFor(String(accepts), plain.body.length);
    const ifNoneMatch = wanted["if-none-match"];
    if (ifNoneMatch !== undefined && matches(ifNoneMatch, tag)) return notModified(tag, encoding);
    return encoding === undefined ? plain : encodedOf(row, answers, encoding);
  };
}

/** About what an answer takes beside its body. */
const OVERHEAD_BYTES = 500;

interface Part {
  readonly number: number;
  readonly body: Buffer;
  /** JSON of `UrlSlot[]`; empty where there is none. */
  readonly slots: string;
}

/** The view, or the bytes of one field's value in it. */
function partOf(row: HeldRow, section: Section | undefined): Part {
  const { number, sectionNumbers, sectionEnds, urlSlots, body } = row;
  if (section === undefined) return { number, body, slots: urlSlots ?? "" };
  const index = SECTIONS.indexOf(section);
  const ends = JSON.parse(sectionEnds) as number[];
  const numbers = JSON.parse(sectionNumbers) as (number | undefined)[];
  // Before each value stands its name: `{"lead":`, then `,"status":` and so on.
  const start = (index === 0 ? 0 : (ends[index - 1] as number)) + section.length + 4;
  const end = ends[index] as number;
  const slots = urlSlots === null ? [] : (JSON.parse(urlSlots) as UrlSlot[]);
  const own = slots
    .filter(([offset]) => offset >= start && offset < end)
    .map(([offset, storageKey]): UrlSlot => [offset - start, storageKey]);
  return {
    number: numbers[index] ?? number,
    body: body.subarray(start, end),
    slots: own.length === 0 ? "" : JSON.stringify(own),
  };
}

/** For the client's own cache only, which has to ask whether the answer is still the same. */
export const CACHE = "private, no-cache";

/** Each encoding has a tag of its own: other bytes are another representation (RFC 9110, ETag). */
const etagOf = (tag: string, encoding: Encoding | undefined): string =>
  encoding === undefined ? `"${tag}"` : `"${tag}+${encoding}"`;

/** Without an encoding nothing varies: who keeps those bytes may give them to anybody. */
export const encodedHeaders = (encoding: Encoding | undefined): Readonly<Record<string, string>> =>
  encoding === undefined ? {} : { "content-encoding": encoding, vary: "accept-encoding" };

const notModified = (tag: string, encoding: Encoding | undefined): Answer => ({
  status: 304,
  headers: {
    etag: etagOf(tag, encoding),
    "cache-control": CACHE,
    ...(encoding === undefined ? {} : { vary: "accept-encoding" }),
  },
  body: null,
});

const withBody = (body: Buffer, tag: string, encoding?: Encoding): Answer & { readonly body: Buffer } => ({
  status: 200,
  headers: {
    etag: etagOf(tag, encoding),
    "cache-control": CACHE,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(body.length),
    ...encodedHeaders(encoding),
  },
  body,
});

/** An entity tag of ours, of any encoding. */
const TAG = new RegExp(`^(?:W/)?"([^"+]*)(?:\\+(?:${ENCODINGS.join("|")}))?"$`);

/** RFC 9110, If-None-Match: a list of tags compared weakly, or `*`. */
function matches(ifNoneMatch: string, tag: string): boolean {
  if (ifNoneMatch === `"${tag}"` || ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((one) => {
    const [, given] = TAG.exec(one.trim()) ?? [];
    return given === tag;
  });
}
