import { DecodeError } from "./decode-error.ts";

/** Where documents are: the endpoint, which may have a path of its own, and the bucket. */
export interface DocumentStore {
  readonly endpoint: URL;
  readonly bucket: string;
}

/** Segments that a URL's reader resolves, so that the path would be another one than was written. */
const DOT_SEGMENT = /^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#]|$)/i;
/** Amazon's own hosts where the bucket is the path's first segment: s3, and s3 with a region or its variants. */
const AWS_PATH_STYLE = /^s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?$/;

/**
 * The key of the object that a presigned URL leads to: its path without the endpoint's own path, and without the
 * bucket where that is not in the host's name.
 * @returns undefined for what is no URL, or has no path
 * @throws DecodeError invalid_event where the path has dot segments
 */
export function storageKeyOf(url: string, store: DocumentStore | undefined): string | undefined {
  if (!URL.canParse(url)) return undefined;
  if (DOT_SEGMENT.test(url))
    throw new DecodeError("invalid_event", "a signedUrl has dot segments in its path");
  const { hostname, pathname } = new URL(url);
  const path = keyPath(hostname, pathname, store);
  try {
    return decodeURIComponent(path.slice(1)) || undefined;
  } catch {
    return undefined;
  }
}

function keyPath(hostname: string, pathname: string, store: DocumentStore | undefined): string {
  const path = withoutPrefix(pathname, store ? store.endpoint.pathname.replace(/\/$/, "") : "");
  if (store && hostname.startsWith(`${store.bucket.toLowerCase()}.`)) return path;
  if (store) {
    const segment = encodeURIComponent(store.bucket);
    const bare = withoutPrefix(path, `/${segment}`);
    if (bare !== path) return bare;
  }
  return AWS_PATH_STYLE.test(hostname) ? path.slice(path.indexOf("/", 1)) : path;
}

const withoutPrefix = (path: string, prefix: string): string =>
  prefix !== "" && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
