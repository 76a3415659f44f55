import { bodyWithUrls } from "./body.ts";
import { compress, ENCODINGS, type Encoding, encodingFor } from "./compress.ts";
import type { Presigner } from "./presign.ts";
import type { HeldRow } from "./views.ts";

/** The status and headers of an answer, and its body; null where there is none to send. */
export interface LeadResponse {
  readonly status: 200 | 304;
  readonly headers: readonly string[];
  readonly body: Buffer | null;
}

/** What a request says of the answer that it wants. */
export interface Wanted {
  readonly ifNoneMatch: string | undefined;
  readonly acceptEncoding: string | undefined;
}

/** Makes the answer of a lead's row; ready at once where nothing is still to be compressed. */
export type Respond = (row: HeldRow, wanted: Wanted) => LeadResponse | Promise<LeadResponse>;

/**
 * Answers with a row's stored bytes, URLs spliced in where it has documents, compressed where the client asks for it; or
 * 304 where the client has them (design.md sections 5 and 7). What took work to make stays with a row that is still in
 * memory, within the time bucket of its URLs.
 */
export function createResponder(presigner: Presigner): Respond {
  const answersOf = (row: HeldRow, bucket: number, tag: string): Answers => {
    if (row.answers?.bucket === bucket) return row.answers;
    const { urlSlots, body } = row;
    const plain =
      urlSlots === null
        ? body
        : bodyWithUrls(body, urlSlots, (storageKey) => presigner.url(storageKey, bucket));
    row.answers = { bucket, tag, plain: withBody(plain, tag), encoded: new Map() };
    return row.answers;
  };
  return (row, { ifNoneMatch, acceptEncoding }) => {
    const { urlSlots, number, body } = row;
    const bucket = urlSlots === null ? 0 : presigner.bucket();
    const tag = `${number}${urlSlots === null ? "" : `-${bucket.toString(36)}`}`;
    const encoding = acceptEncoding === undefined ? undefined : encodingFor(acceptEncoding, body.length);
    if (ifNoneMatch !== undefined && matches(ifNoneMatch, tag)) return notModified(tag, encoding);
    // Measured: for the plain answer, looking up what was made before costs more than making it.
    if (urlSlots === null && encoding === undefined) return withBody(body, tag);
    const answers = answersOf(row, bucket, tag);
    return encoding === undefined ? answers.plain : encoded(answers, encoding);
  };
}

/** A row's answers. */
export interface Answers {
  readonly bucket: number;
  /** The entity tag, without its quotes. */
  readonly tag: string;
  readonly plain: LeadResponse & { readonly body: Buffer };
  readonly encoded: Map<Encoding, LeadResponse | Promise<LeadResponse>>;
}

/** Compressed once, for all who want it so. */
function encoded({ tag, plain, encoded }: Answers, encoding: Encoding): LeadResponse | Promise<LeadResponse> {
  const known = encoded.get(encoding);
  if (known !== undefined) return known;
  const compressing = compress(plain.body, encoding).then((body) => {
    const response = withBody(body, tag, encoding);
    encoded.set(encoding, response);
    return response;
  });
  encoded.set(encoding, compressing);
  compressing.catch(() => encoded.delete(encoding));
  return compressing;
}

/** For the client's own cache only, which has to ask whether the answer is still the same. */
const CACHE = "private, no-cache";

/** Each encoding has a tag of its own: other bytes are another representation (RFC 9110, ETag). */
const etagOf = (tag: string, encoding: Encoding | undefined): string =>
  encoding === undefined ? `"${tag}"` : `"${tag}+${encoding}"`;

/** Without an encoding nothing varies: who keeps those bytes may give them to anybody. */
const varies = (encoding: Encoding | undefined): readonly string[] =>
  encoding === undefined ? [] : ["vary", "accept-encoding"];

const notModified = (tag: string, encoding: Encoding | undefined): LeadResponse => ({
  status: 304,
  headers: ["etag", etagOf(tag, encoding), "cache-control", CACHE, ...varies(encoding)],
  body: null,
});

const withBody = (
  body: Buffer,
  tag: string,
  encoding?: Encoding,
): LeadResponse & { readonly body: Buffer } => ({
  status: 200,
  headers: [
    "etag",
    etagOf(tag, encoding),
    "cache-control",
    CACHE,
    "content-type",
    "application/json; charset=utf-8",
    "content-length",
    String(body.length),
    "x-content-type-options",
    "nosniff",
    ...(encoding === undefined ? [] : ["content-encoding", encoding]),
    ...varies(encoding),
  ],
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
