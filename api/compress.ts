import { promisify } from "node:util";
import { brotliCompress, constants, gzip, zstdCompress } from "node:zlib";
import { negotiate } from "@fastify/accept-negotiator";
import { LRUCache } from "lru-cache";

/**
 * Ours in the order of their gain, measured on generated views of 6 KB: zstd 32 % of the bytes in 54 µs, br 31 % in
 * 137 µs, gzip 31 % in 98 µs; of 60 KB: 16 % in 156 µs, 16 % in 477 µs, 16 % in 1,045 µs.
 */
export const ENCODINGS = ["zstd", "br", "gzip"] as const;

export type Encoding = (typeof ENCODINGS)[number];

/** Smaller bodies fit into a packet as they are. */
const LEAST_BYTES = 1_024;
const BROTLI_QUALITY = 4;
const MOST_HEADERS = 1_000;

const codecs: Record<Encoding, (body: Buffer) => Promise<Buffer>> = {
  zstd: promisify(zstdCompress),
  br: (body) => brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: promisify(gzip),
};
const brotli = promisify(brotliCompress) as (body: Buffer, options: object) => Promise<Buffer>;

const chosen = new LRUCache<string, { readonly encoding: Encoding | undefined }>({ max: MOST_HEADERS });

/**
 * What a body is to be sent in, by what the client accepts and prefers (RFC 9110, Accept-Encoding).
 * @returns undefined for as it is
 */
export function encodingFor(acceptEncoding: string, bodyBytes: number): Encoding | undefined {
  if (bodyBytes < LEAST_BYTES) return undefined;
  let known = chosen.get(acceptEncoding);
  if (known === undefined) {
    // Names of codings are the same in any case (RFC 9110, section 8.4.1).
    const best = negotiate(acceptEncoding.toLowerCase(), [...ENCODINGS, "identity"]);
    known = { encoding: ENCODINGS.find((encoding) => encoding === best) };
    chosen.set(acceptEncoding, known);
  }
  return known.encoding;
}

/** Compresses on a thread of the pool, so that no other request waits. */
export const compress = (body: Buffer, encoding: Encoding): Promise<Buffer> => codecs[encoding](body);
