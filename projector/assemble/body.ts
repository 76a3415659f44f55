import type { UrlSlot } from "../../shared/view/row.ts";

/** The finished bytes of a view, and where its presigned URLs go (design.md section 5). */
export interface AssembledView {
  readonly body: Buffer;
  readonly urlSlots: readonly UrlSlot[];
}

/** Collects a view's JSON text from front to back. */
export interface BodyBuilder {
  text(text: string): void;
  /** Leaves room for a document's URL; one without an object in the store has none: null. */
  url(storageKey: string | null | undefined): void;
  finish(): AssembledView;
}

export function createBody(): BodyBuilder {
  const done: { readonly text: string; readonly storageKey: string }[] = [];
  let open = "";
  return {
    text(text) {
      open += text;
    },
    url(storageKey) {
      if (storageKey === null || storageKey === undefined) {
        open += "null";
        return;
      }
      done.push({ text: `${open}"`, storageKey });
      open = '"';
    },
    finish() {
      let offset = 0;
      let all = "";
      const urlSlots = done.map(({ text, storageKey }): UrlSlot => {
        offset += Buffer.byteLength(text);
        all += text;
        return [offset, storageKey];
      });
      return { body: Buffer.from(all + open), urlSlots };
    },
  };
}

/** Writes the elements of a JSON array. */
export function writeArray<T>(body: BodyBuilder, elements: readonly T[], write: (element: T) => void): void {
  body.text("[");
  elements.forEach((element, index) => {
    if (index > 0) body.text(",");
    write(element);
  });
  body.text("]");
}

/** Joins groups of JSON members, some of which may be empty, into one run. */
export const joinMembers = (...members: readonly string[]): string =>
  members.filter((text) => text !== "").join(",");
