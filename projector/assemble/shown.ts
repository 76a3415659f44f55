import type { Shown, ShownEntity } from "../fold/lead-part.ts";
import { createRun, type Run, type RunWriter, type SectionWriter, writeArray } from "./body.ts";

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

/** Where a list has MANY entities, so many at a time are put together and kept: by their places, so that the same list is cut alike. */
const AT_A_TIME = 32;
const MANY = 64;

interface KeptRun extends Run {
  readonly of: readonly Shown[];
}

/** By what a list belongs to. */
const runsOf = new WeakMap<object, KeptRun[]>();

/**
 * Writes a list of entities as a JSON array.
 * @param owner what the list belongs to, for as long as it is in memory
 */
export function writeEntities<E extends ShownEntity>(
  section: RunWriter,
  owner: object,
  entities: readonly E[],
  write: (writer: SectionWriter, entity: E) => void,
): void {
  for (const entity of entities) entity.shown ??= show((writer) => write(writer, entity));
  if (entities.length < MANY) {
    writeArray(section, entities, ({ shown }) => writeShown(section, shown as Shown));
    return;
  }
  const runs = runsOf.get(owner) ?? [];
  runsOf.set(owner, runs);
  section.text("[");
  for (let from = 0; from < entities.length; from += AT_A_TIME) {
    const index = from / AT_A_TIME;
    const to = Math.min(from + AT_A_TIME, entities.length);
    const kept = runs[index];
    const run = kept && isOf(kept, entities, from, to) ? kept : runOf(entities.slice(from, to), from > 0);
    runs[index] = run;
    section.run(run);
  }
  runs.length = Math.ceil(entities.length / AT_A_TIME);
  section.text("]");
}

function isOf({ of }: KeptRun, entities: readonly ShownEntity[], from: number, to: number): boolean {
  if (of.length !== to - from) return false;
  for (let index = from; index < to; index++)
    if (of[index - from] !== (entities[index] as ShownEntity).shown) return false;
  return true;
}

function runOf(entities: readonly ShownEntity[], hasBefore: boolean): KeptRun {
  const of = entities.map(({ shown }) => shown as Shown);
  const run = createRun((section) => {
    of.forEach((shown, index) => {
      if (index > 0 || hasBefore) section.text(",");
      writeShown(section, shown);
    });
  });
  return { ...run, of };
}
