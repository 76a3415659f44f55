import type { UrlSlot } from "../shared/view/row.ts";
import type { Presigner } from "./presign.ts";

/**
 * The response's bytes: the stored body with each document's URL spliced in (design.md section 5). Ready at once
 * where all URLs are known for this time bucket.
 * @param urlSlots the row's JSON of `UrlSlot[]`
 */
export function bodyWithUrls(body: Buffer, urlSlots: string, presigner: Presigner): Buffer | Promise<Buffer> {
  const slots = JSON.parse(urlSlots) as UrlSlot[];
  const urls = slots.map(([, storageKey]) => presigner.url(storageKey));
  return urls.every((url) => typeof url === "string")
    ? splice(body, slots, urls)
    : Promise.all(urls).then((signed) => splice(body, slots, signed));
}

function splice(body: Buffer, slots: readonly UrlSlot[], urls: readonly string[]): Buffer {
  const spliced = Buffer.allocUnsafe(urls.reduce((length, url) => length + url.length, body.length));
  let from = 0;
  let to = 0;
  for (const [index, [offset]] of slots.entries()) {
    to += body.copy(spliced, to, from, offset);
    to += spliced.write(urls[index] as string, to, "latin1");
    from = offset;
  }
  body.copy(spliced, to, from);
  return spliced;
}
