import type { Shown } from "../fold/lead-part.ts";
import type { SectionWriter } from "./body.ts";

/**
 * What a section shows of one entity. It is kept with the entity until something changes that it shows, so that an event
 * costs what it touches (rule: cost).
 */
export function show(write: (writer: SectionWriter) => void): Shown {
  const texts: string[] = [];
  const storageKeys: string[] = [];
  let open = "";
  write({
    text(text) {
      open += text;
    },
    url(storageKey) {
      if (storageKey === null || storageKey === undefined) {
        open += "null";
        return;
      }
      texts.push(open);
      storageKeys.push(storageKey);
      open = "";
    },
  });
  texts.push(open);
  return { texts, storageKeys };
}

export function writeShown(section: SectionWriter, { texts, storageKeys }: Shown): void {
  section.text(texts[0] as string);
  for (let index = 0; index < storageKeys.length; index++) {
    section.url(storageKeys[index]);
    section.text(texts[index + 1] as string);
  }
}
