import { createHmac, randomBytes } from "node:crypto";
import { Hash } from "@smithy/hash-node";
import { SignatureV4 } from "@smithy/signature-v4";
import type { S3Config } from "../shared/config.ts";

/** Seconds. Within one bucket a document keeps its URL, so that caches work (design.md section 5). */
const BUCKET_S = 900;
/** Seconds. A URL lives for an hour (omni-facts.md) at least, so it is signed for a bucket more. */
const EXPIRES_S = 3_600 + BUCKET_S;
/** URLs kept for the bucket; beyond that all are signed again. */
const MOST_URLS = 100_000;

/** Makes the URLs of documents, at read time. */
export interface Presigner {
  /** The number of the time bucket that URLs are signed for now. */
  bucket(): number;
  /** The URL of an object in the document store; printable ASCII without quotes. Ready at once where it is known. */
  url(storageKey: string): string | Promise<string>;
}

export type Clock = () => number;

/** Signs for the configured S3 endpoint, or, without one, with URLs that only say that they are a demo's. */
export function createPresigner(s3: S3Config | undefined, now: Clock = Date.now): Presigner {
  const sign = s3 ? s3Signer(s3) : demoSigner();
  let current = -1;
  let urls = new Map<string, string>();
  const bucket = () => Math.floor(now() / (BUCKET_S * 1_000));
  return {
    bucket,
    url(storageKey) {
      const at = bucket();
      if (at !== current || urls.size >= MOST_URLS) {
        current = at;
        urls = new Map();
      }
      const known = urls.get(storageKey);
      if (known !== undefined) return known;
      const ofBucket = urls;
      const signed = sign(storageKey, new Date(at * BUCKET_S * 1_000));
      if (typeof signed === "string") {
        ofBucket.set(storageKey, signed);
        return signed;
      }
      return signed.then((url) => {
        ofBucket.set(storageKey, url);
        return url;
      });
    },
  };
}

type Sign = (storageKey: string, from: Date) => string | Promise<string>;

/** S3 Signature V4 query presigning, path style, which every S3 compatible store understands. */
function s3Signer({ endpoint, region, bucket, accessKeyId, secretAccessKey }: S3Config): Sign {
  const signer = new SignatureV4({
    service: "s3",
    region,
    credentials: { accessKeyId, secretAccessKey },
    sha256: Hash.bind(null, "sha256"),
    uriEscapePath: false,
  });
  const base = endpoint.pathname.replace(/\/$/, "");
  return async (storageKey, from) => {
    const path = `${base}/${encodePath(bucket)}/${encodePath(storageKey)}`;
    const request = {
      method: "GET",
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      ...(endpoint.port === "" ? {} : { port: Number(endpoint.port) }),
      path,
      query: {},
      // S3 does not sign the payload of a presigned URL; the signer takes the word for it from this header.
      headers: { host: endpoint.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
    };
    const signed = await signer.presign(request, { expiresIn: EXPIRES_S, signingDate: from });
    const query = Object.entries(signed.query ?? {})
      .map(([name, value]) => `${encodeSegment(name)}=${encodeSegment(String(value))}`)
      .join("&");
    return `${endpoint.protocol}//${endpoint.host}${path}?${query}`;
  };
}

/** For the demo, where no store is configured: the URL leads nowhere and its host says so. */
function demoSigner(): Sign {
  const secret = randomBytes(32);
  return (storageKey, from) => {
    const path = encodePath(storageKey);
    const expires = Math.floor(from.getTime() / 1_000) + EXPIRES_S;
    const signature = createHmac("sha256", secret).update(`${path}\n${expires}`).digest("hex");
    return `https://demo-signer.invalid/${path}?expires=${expires}&signature=${signature}`;
  };
}

const encodePath = (path: string): string => path.split("/").map(encodeSegment).join("/");

/** RFC 3986: encodeURIComponent leaves five more characters alone than S3's canonical form does. */
const encodeSegment = (segment: string): string =>
  encodeURIComponent(segment).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
