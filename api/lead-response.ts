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

/**
 * The answer of a lead's row: its stored bytes, with URLs spliced in where it has documents; or 304 where the client
 * has them (design.md sections 5 and 7). Ready at once where no URL is still to be signed.
 */
export function leadResponse(
  row: LeadViewRow,
  ifNoneMatch: string | undefined,
  views: Views,
  presigner: Presigner,
): LeadResponse | Promise<LeadResponse> {
  const { body, urlSlots, version } = row;
  const bucket = urlSlots === null ? "" : `-${presigner.bucket().toString(36)}`;
  const etag = `"${views.epoch()}-${version}${bucket}"`;
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) {
    return { status: 304, headers: ["etag", etag, "cache-control", CACHE], body: null };
  }
  if (urlSlots === null) return withBody(body, etag);
  const spliced = bodyWithUrls(body, urlSlots, presigner);
  return spliced instanceof Promise
    ? spliced.then((bytes) => withBody(bytes, etag))
    : withBody(spliced, etag);
}

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
  ],
  body,
});

/** RFC 9110, If-None-Match: a list of tags compared weakly, or `*`. */
function matches(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch === etag || ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
