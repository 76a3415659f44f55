import type { LeadViewRow } from "../shared/view/row.ts";
import { bodyWithUrls } from "./body.ts";
import type { Presigner } from "./presign.ts";
import type { Views } from "./views.ts";

/** The status and headers of an answer, and its body; null where there is none to send. */
export interface LeadResponse {
  readonly status: 200 | 304;
  readonly headers: readonly string[];
  readonly body: Buffer | null;
}

/** Makes the answer of a lead's row; ready at once where no URL is still to be signed. */
export type Respond = (
  row: LeadViewRow,
  ifNoneMatch: string | undefined,
) => LeadResponse | Promise<LeadResponse>;

/**
 * Answers with a row's stored bytes, URLs spliced in where it has documents; or 304 where the client has them
 * (design.md sections 5 and 7). A row that is still in memory keeps its answer, within the time bucket of its URLs.
 */
export function createResponder(views: Views, presigner: Presigner): Respond {
  const finished = new WeakMap<LeadViewRow, Finished>();
  return (row, ifNoneMatch) => {
    const bucket = row.urlSlots === null ? 0 : presigner.bucket();
    const known = finished.get(row);
    const etag = known?.bucket === bucket ? known.etag : etagOf(row, bucket, views);
    if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) {
      return { status: 304, headers: ["etag", etag, "cache-control", CACHE], body: null };
    }
    if (known?.bucket === bucket) return known.response;
    const finish = (body: Buffer): LeadResponse => {
      const response = withBody(body, etag);
      finished.set(row, { bucket, etag, response });
      return response;
    };
    if (row.urlSlots === null) return finish(row.body);
    const spliced = bodyWithUrls(row.body, row.urlSlots, presigner);
    return spliced instanceof Promise ? spliced.then(finish) : finish(spliced);
  };
}

interface Finished {
  readonly bucket: number;
  readonly etag: string;
  readonly response: LeadResponse;
}

const etagOf = ({ version, urlSlots }: LeadViewRow, bucket: number, views: Views): string =>
  urlSlots === null
    ? `"${views.epoch()}-${version}"`
    : `"${views.epoch()}-${version}-${bucket.toString(36)}"`;

/** For the client's own cache only, which has to ask whether the answer is still the same. */
const CACHE = "private, no-cache";

const withBody = (body: Buffer, etag: string): LeadResponse => ({
  status: 200,
  headers: [
    "etag",
    etag,
    "cache-control",
    CACHE,
    "content-type",
    "application/json; charset=utf-8",
    "content-length",
    String(body.length),
    "x-content-type-options",
    "nosniff",
  ],
  body,
});

/** RFC 9110, If-None-Match: a list of tags compared weakly, or `*`. */
function matches(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch === etag || ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
