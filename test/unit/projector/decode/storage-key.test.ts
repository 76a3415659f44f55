import { expect, test } from "vitest";
import { storageKeyOf } from "../../../../projector/decode/storage-key.ts";

const store = (endpoint: string, bucket: string) => ({ endpoint: new URL(endpoint), bucket });
const QUERY = "?X-Amz-Signature=abc";

test.each([
  ["path style", "http://store:9000/docs/leads/1/a.pdf", store("http://store:9000", "docs"), "leads/1/a.pdf"],
  [
    "another name of the host",
    "http://10.0.0.7:9000/docs/a.pdf",
    store("http://store:9000", "docs"),
    "a.pdf",
  ],
  [
    "an endpoint with a path",
    "https://h/storage/v1/s3/docs/a/b.pdf",
    store("https://h/storage/v1/s3/", "docs"),
    "a/b.pdf",
  ],
  [
    "virtual host",
    "https://docs.s3.us-east-2.amazonaws.com/leads/a.pdf",
    store("https://s3.us-east-2.amazonaws.com", "docs"),
    "leads/a.pdf",
  ],
  [
    "virtual host, a key that begins as the bucket",
    "https://docs.s3.amazonaws.com/docs/a.pdf",
    store("https://s3.amazonaws.com", "docs"),
    "docs/a.pdf",
  ],
  [
    "virtual host without settings",
    "https://docs.s3.us-east-2.amazonaws.com/leads/a.pdf",
    undefined,
    "leads/a.pdf",
  ],
  [
    "Amazon's path style without settings",
    "https://s3.us-east-2.amazonaws.com/docs/leads/a.pdf",
    undefined,
    "leads/a.pdf",
  ],
  [
    "escapes",
    "http://store:9000/docs/leads/%C3%BC%20b%2Fc+d.pdf",
    store("http://store:9000", "docs"),
    "leads/ü b/c+d.pdf",
  ],
  ["a host of its own", "https://files.acme.com/leads/1/a.pdf", undefined, "leads/1/a.pdf"],
  [
    "a key that only begins as the bucket",
    "http://store:9000/docs2/a.pdf",
    store("http://store:9000", "docs"),
    "docs2/a.pdf",
  ],
])("the key of %s", (_what, url, where, key) => {
  expect(storageKeyOf(url + QUERY, where)).toBe(key);
});

test.each(["no URL", "http://store:9000/", "http://store:9000/docs/%E0%A4%A"])("%s has no key", (url) => {
  expect(storageKeyOf(url, undefined)).toBeUndefined();
});

test.each([
  "http://store:9000/docs/../ws-2/x",
  "http://store:9000/docs/%2e%2E/x",
  "http://store:9000/docs/./x",
  "http://store:9000/docs/..?X-Amz-Signature=a",
])("%s is refused for its dot segments", (url) => {
  expect(() => storageKeyOf(url, undefined)).toThrow(/dot segments/);
});
