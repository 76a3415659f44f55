import { delay, nextTurn } from "../../shared/clock.ts";
import type { Reach, SequencedHead } from "../../shared/view/arrival.ts";
import type { ChangeHead } from "../../shared/view/change.ts";
import type { Changes } from "../changes.ts";
import type { Views } from "../views.ts";
import { caughtUpFrame, changeFrame, resetFrame } from "./frames.ts";
import type { StreamWriter } from "./stream-writer.ts";
import { behindNumber, concerns, isHere, type Next, PAGE, type Subscriber } from "./subscriber.ts";

const RETRY_MS = 100;

export interface CatchingUpParts {
  readonly views: Views;
  readonly writer: StreamWriter;
  /** Told once nothing is between the subscriber and those that are live; it has seen all up to there. */
  readonly onLive: (subscriber: Subscriber, upTo: Reach) => void;
  /** Told where the subscriber took nothing for too long. */
  readonly onStalled: (subscriber: Subscriber) => void;
}

/** Changes that a subscriber has not seen. */
interface Page {
  readonly heads: readonly SequencedHead[];
  /** How many of them it was told of. */
  told: number;
  /** The number up to which it was told of everything, and how far the changes had come when they were read. */
  readonly after: number;
  readonly upTo: Reach;
}

/** Tells a subscriber what it has not seen, at its own pace, until it is live or gone. No error leaves it. */
export type CatchUp = (subscriber: Subscriber) => Promise<void>;

export function createCatchUp({ views, writer, onLive, onStalled }: CatchingUpParts): CatchUp {
  /** For one that says it has seen what this database never told: another one did, which is lost. */
  const beginAnew = (subscriber: Subscriber, changes: Changes): void => {
    subscriber.cursor = 0;
    subscriber.next = behindNumber(changes, 0);
    subscriber.snapshotOf = changes.reach().resume;
    writer.write(subscriber, resetFrame());
  };

  const readPage = (subscriber: Subscriber): Page => {
    const changes = views.changes();
    if (!changes.wasGiven(subscriber.cursor)) beginAnew(subscriber, changes);
    const upTo = changes.reach();
    if (subscriber.next.behind === "mark" && !isHere(changes, subscriber.next.mark, upTo))
      subscriber.next = behindNumber(changes, subscriber.cursor);
    const { leadId, workspaceId, cursor: after, next } = subscriber;
    return { heads: headsOf(changes, next, leadId, workspaceId), told: 0, after, upTo };
  };

  /** @returns false where the rest has to wait until the subscriber has taken what it was told */
  const tellPage = (subscriber: Subscriber, page: Page): boolean => {
    for (; page.told < page.heads.length; page.told++) {
      if (writer.isBehind(subscriber)) return false;
      const head = page.heads[page.told] as SequencedHead;
      // To who begins with nothing, what is gone never was.
      const isNews = head.status !== null || head.number > (subscriber.snapshotOf ?? 0);
      const row = isNews && concerns(subscriber, head, page.after) ? views.change(head.leadId) : undefined;
      const id = Math.max(subscriber.cursor, head.resume);
      // One that changed meanwhile comes again under its new number. A frame, however large, goes to one that waits for
      // nothing else.
      if (row?.number === head.number) writer.write(subscriber, changeFrame(row, page.after, id));
      subscriber.cursor = id;
    }
    return true;
  };

  /** Goes on behind a page that was told. @returns true where there was nothing behind it: the subscriber is live */
  const goOnBehind = (subscriber: Subscriber, { heads, upTo }: Page): boolean => {
    const last = heads.at(-1);
    const isFull = last !== undefined && subscriber.leadId === undefined && heads.length === PAGE;
    const { next } = subscriber;
    if (next.behind === "number") {
      subscriber.next = isFull ? { ...next, number: last.number } : { behind: "mark", mark: next.began.mark };
      return false;
    }
    if (isFull) {
      subscriber.next = { behind: "mark", mark: last.mark };
      return false;
    }
    subscriber.next = { behind: "mark", mark: upTo.mark };
    subscriber.cursor = Math.max(subscriber.cursor, upTo.resume);
    // What came since it was read.
    if (upTo.mark !== views.changes().reach().mark) return false;
    if (subscriber.snapshotOf !== undefined) writer.write(subscriber, caughtUpFrame(subscriber.cursor));
    subscriber.snapshotOf = undefined;
    onLive(subscriber, upTo);
    return true;
  };

  return async (subscriber) => {
    subscriber.state = "catching up";
    for (let page: Page | undefined; ; ) {
      const found = await writer.untilReady(subscriber);
      if (found === "stalled") onStalled(subscriber);
      if (found !== "ready") return;
      try {
        page ??= readPage(subscriber);
        if (tellPage(subscriber, page)) {
          const told: Page = page;
          page = undefined;
          if (goOnBehind(subscriber, told)) return;
        }
      } catch {
        // The database is being exchanged, or can't be read just now: the next look finds it again.
        await delay(RETRY_MS);
        continue;
      }
      // Others are answered between two pages.
      await nextTurn();
    }
  };
}

function headsOf(
  changes: Changes,
  next: Next,
  leadId: string | undefined,
  workspaceId: string,
): SequencedHead[] {
  if (next.behind === "mark")
    return leadId === undefined
      ? changes.since(next.mark, PAGE, workspaceId)
      : changes.sinceOf(leadId, next.mark);
  const { number, began } = next;
  const found =
    leadId === undefined
      ? changes.byNumber(number, PAGE, workspaceId)
      : [changes.head(leadId)].filter((head) => head !== undefined && head.number > number);
  // Changes of lower numbers may still come: it goes on elsewhere behind what had all come when it began.
  return (found as ChangeHead[]).map((head) => ({
    ...head,
    mark: began.mark,
    resume: Math.min(head.number, began.resume),
  }));
}
