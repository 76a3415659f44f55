import type { UrlSlot } from "../shared/view/row.ts";

/**
 * The response's bytes: the stored body with each document's URL spliced in.
 * @param urlSlots the row's JSON of `UrlSlot[]`
 */
export function bodyWithUrls(body: Buffer, urlSlots: string, urlOf: (storageKey: string) => string): Buffer {
  const slots = JSON.parse(urlSlots) as UrlSlot[];
  const urls = slots.map(([, storageKey]) => urlOf(storageKey));
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
