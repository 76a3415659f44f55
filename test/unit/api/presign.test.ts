import { Hash } from "@smithy/hash-node";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createPresigner } from "../../../api/presign.ts";

const S3 = {
  endpoint: new URL("https://objects.example.com:9000/base/"),
  region: "us-east-2",
  bucket: "omni documents",
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const PAYLOAD = new Set(["x-amz-content-sha256"]);
const segment = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

test("a URL has the signature that AWS's own signer gives, whatever the object's key and the time", async () => {
  const aws = new SignatureV4({
    service: "s3",
    region: S3.region,
    credentials: { accessKeyId: S3.accessKeyId, secretAccessKey: S3.secretAccessKey },
    sha256: Hash.bind(null, "sha256"),
    uriEscapePath: false,
  });
  const keys = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
  const times = fc.integer({ min: 0, max: 4_000_000_000 });
  await fc.assert(
    fc.asyncProperty(keys, times, async (storageKey, seconds) => {
      const presigner = createPresigner(S3, () => seconds * 1_000);
      const bucket = presigner.bucket();
      const path = `/base/${segment(S3.bucket)}/${storageKey.split("/").map(segment).join("/")}`;
      const { query } = await aws.presign(
        {
          method: "GET",
          protocol: "https:",
          hostname: "objects.example.com",
          path,
          query: {},
          headers: { host: "objects.example.com:9000", "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
        },
        // S3 does not sign a presigned URL's payload; the header only tells the signer so.
        {
          expiresIn: 4_500,
          signingDate: new Date(bucket * 900_000),
          unhoistableHeaders: PAYLOAD,
          unsignableHeaders: PAYLOAD,
        },
      );
      const [address, ours] = presigner.url(storageKey, bucket).split("?");
      expect(address).toBe(`https://objects.example.com:9000${path}`);
      expect(Object.fromEntries(new URLSearchParams(ours))).toEqual(query);
    }),
    { numRuns: 500 },
  );
});
