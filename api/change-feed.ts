import type { ServerResponse } from "node:http";
import { after, delay, every, monotonic, nextTurn, type Timer } from "../shared/clock.ts";
import type { Reach, ToldHead } from "../shared/view/arrival.ts";
import type { ChangeHead, ChangeRow } from "../shared/view/change.ts";
import { changedSections } from "../shared/view/change.ts";
import type { Changes } from "./changes.ts";
import { caughtUpFrame, changeFrame, endedFrame, keepAliveFrame, readyFrame, resetFrame } from "./frames.ts";
import type { Views } from "./views.ts";

// `@fastify/sse` was looked at (0.6.0): it writes one reply's events and heartbeats, and knows nothing of other streams.
// What it lacks here: one reading of the database for all streams, one frame for all that want it, a bound of memory over
// all of them, dropping who does not read, asking for the key again, a limit of streams, and an end at shutdown.

const POLL_MS = 20;
/** Changes that are read for a place at a time. */
const PAGE = 200;
/** With more leads asked for than this, what changed is read in order, instead of asking for each of them. */
const LOOK_UPS = 256;
const KEEP_ALIVE_MS = 15_000;
/** A revoked key reads no longer than this and the key store's own half second. */
const ASK_MS = 250;
const RETRY_MS = 100;

export interface FeedLimits {
  /** Milliseconds that a reader may take nothing of what waits for it. */
  readonly stallMs: number;
  /** Bytes that may wait for all readers together; with more, nobody is read for until some are taken. */
  readonly mostWaitingBytes: number;
}

const LIMITS: FeedLimits = { stallMs: 30_000, mostWaitingBytes: 64 * 1024 ** 2 };

export interface Subscription {
  readonly workspaceId: string;
  /** Undefined = all leads of the workspace. */
  readonly leadId: string | undefined;
  /** Only views of this status; undefined = of any. */
  readonly status: string | undefined;
  /** Only changes of one of these sections of the view; empty = of any. */
  readonly sections: readonly string[];
  /** The number of the last change that the subscriber has seen; 0 = none, tell all; undefined = begin with what comes. */
  readonly after: number | undefined;
  /** Asked all the time whether the subscriber may still read. */
  readonly isAllowed: () => boolean;
}

/** A subscriber is in the register from the moment it connects until it is gone, and always in one of these. */
type State = "catching up" | "live" | "gone";

interface Subscriber extends Subscription {
  readonly response: ServerResponse;
  state: State;
  /** All that concerns it up to this number was written: the id that it goes on behind. */
  cursor: number;
  /** What it is told next. */
  next: Next;
  /** The last number that was given when it began from the start, until it was told all up to there; else undefined. */
  snapshotOf: number | undefined;
  /** What it is being told while it catches up; undefined = to be read. */
  page: Page | undefined;
}

/**
 * Where a subscriber is: behind a mark, in the order in which changes are told; or, where it comes with a number that is
 * no mark here, behind a number, until it has seen all there is, and then behind the mark that there was when it began.
 */
type Next =
  | { readonly behind: "mark"; readonly mark: number }
  | { readonly behind: "number"; readonly number: number; readonly began: Reach };

/** Changes that a subscriber has not seen. */
interface Page {
  readonly heads: readonly ToldHead[];
  /** How many of them it was told of. */
  told: number;
  /** The number up to which it was told of everything, and how far the changes had come when they were read. */
  readonly after: number;
  readonly upTo: Reach;
}

/** What live subscribers want read: one lead's changes, or a workspace's. */
interface Place {
  readonly subscribers: Set<Subscriber>;
  /** All of them were told of everything up to here. */
  seen: Reach;
}

/** The view's changes as Server-Sent Events. */
export interface ChangeFeed {
  subscribe(subscription: Subscription, response: ServerResponse): void;
  /** How many read along, and how many of them are catching up. */
  size(): number;
  catchingUp(): number;
  /** Bytes that wait for them. */
  waitingBytes(): number;
  /** Ends all streams; who comes later is ended at once. */
  close(): void;
}

/** One register of subscribers, and one reader of the outbox for all of them in this process (rule: nobody blocks another). */
export function createChangeFeed(views: Views, limits: Partial<FeedLimits> = {}): ChangeFeed {
  const { stallMs, mostWaitingBytes } = { ...LIMITS, ...limits };
  const register = new Set<Subscriber>();
  const workspaces = new Map<string, Place>();
  const leads = new Map<string, Place>();
  /** Those whose last write still waits, at least in part. */
  const undrained = new Set<Subscriber>();
  const timers: Timer[] = [];
  let closed = false;

  const placesOf = ({ leadId }: Subscription) => (leadId === undefined ? workspaces : leads);
  const placeName = ({ leadId, workspaceId }: Subscription) => leadId ?? workspaceId;

  const waitingBytes = (): number => {
    let bytes = 0;
    for (const { response } of undrained) bytes += response.writableLength;
    return bytes;
  };

  /** Writes a frame. Nothing else writes. */
  const write = (subscriber: Subscriber, frame: Buffer | string): void => {
    const { response } = subscriber;
    if (response.write(frame) || undrained.has(subscriber)) return;
    undrained.add(subscriber);
    response.once("drain", () => undrained.delete(subscriber));
  };

  const leave = (subscriber: Subscriber): void => {
    const places = placesOf(subscriber);
    const place = places.get(placeName(subscriber));
    place?.subscribers.delete(subscriber);
    if (place?.subscribers.size === 0) places.delete(placeName(subscriber));
  };

  const gone = (subscriber: Subscriber): void => {
    subscriber.state = "gone";
    leave(subscriber);
    undrained.delete(subscriber);
    if (register.delete(subscriber) && register.size === 0) stopTimers();
  };

  /** Ends a stream by our own will. What still waits may never be read: the connection is not kept for it. */
  const end = (subscriber: Subscriber, reason: string): void => {
    gone(subscriber);
    subscriber.response.end(endedFrame(reason));
    after(1_000, () => subscriber.response.destroy()).unref();
  };

  /** Writes a change to a live subscriber; one for whom something still waits reads by itself from now on. */
  const tell = (subscriber: Subscriber, frame: Buffer, { mark, resume }: Reach): void => {
    if (undrained.has(subscriber) || waitingBytes() + frame.length > mostWaitingBytes) {
      leave(subscriber);
      void catchUp(subscriber);
      return;
    }
    write(subscriber, frame);
    subscriber.cursor = Math.max(subscriber.cursor, resume);
    subscriber.next = { behind: "mark", mark };
  };

  /** Waits until nothing waits for the subscriber and there is room. @returns false where it is gone */
  const canTake = async (subscriber: Subscriber): Promise<boolean> => {
    const { response } = subscriber;
    for (const deadline = monotonic() + stallMs; subscriber.state !== "gone"; ) {
      const full = undrained.has(subscriber);
      if (!full && (undrained.size === 0 || waitingBytes() < mostWaitingBytes)) return true;
      // One that waits for room has done nothing wrong.
      if (full && monotonic() > deadline) {
        end(subscriber, "the reader took nothing for too long; resume with Last-Event-ID");
        return false;
      }
      if (full) await drained(response, Math.min(stallMs, 1_000));
      else await delay(POLL_MS);
    }
    return false;
  };

  /** Tells a subscriber what it has not seen, at its own pace, until nothing is between it and the live ones. */
  const catchUp = async (subscriber: Subscriber): Promise<void> => {
    subscriber.state = "catching up";
    subscriber.page = undefined;
    while (await canTake(subscriber)) {
      let done: boolean;
      try {
        done = tellPage(subscriber);
      } catch {
        // The database is being exchanged, or can't be read just now: the next look finds it again.
        await delay(RETRY_MS);
        continue;
      }
      if (done) return;
      // Others are answered between two pages.
      await nextTurn();
    }
  };

  /** @returns true once the subscriber is live */
  const tellPage = (subscriber: Subscriber): boolean => {
    subscriber.page ??= readPage(subscriber);
    const { page } = subscriber;
    for (; page.told < page.heads.length; page.told++) {
      if (undrained.has(subscriber)) return false;
      const head = page.heads[page.told] as ToldHead;
      // To who begins with nothing, what is gone never was.
      const isNews = head.status !== null || head.number > (subscriber.snapshotOf ?? 0);
      const row = isNews && concerns(subscriber, head, page.after) ? views.change(head.leadId) : undefined;
      const id = Math.max(subscriber.cursor, head.resume);
      // One that changed meanwhile comes again under its new number. A frame, however large, goes to one that waits for
      // nothing else.
      if (row?.number === head.number) write(subscriber, changeFrame(row, page.after, id));
      subscriber.cursor = id;
    }
    subscriber.page = undefined;
    const last = page.heads.at(-1);
    const isFull = last !== undefined && subscriber.leadId === undefined && page.heads.length === PAGE;
    const { next } = subscriber;
    if (next.behind === "number") {
      subscriber.next = isFull ? { ...next, number: last.number } : { behind: "mark", mark: next.began.mark };
      return false;
    }
    if (isFull) {
      subscriber.next = { behind: "mark", mark: last.mark };
      return false;
    }
    const { upTo } = page;
    subscriber.next = { behind: "mark", mark: upTo.mark };
    subscriber.cursor = Math.max(subscriber.cursor, upTo.resume);
    // What came since it was read.
    if (upTo.mark !== views.changes().reach().mark) return false;
    if (subscriber.snapshotOf !== undefined) write(subscriber, caughtUpFrame(subscriber.cursor));
    subscriber.snapshotOf = undefined;
    join(subscriber, upTo);
    return true;
  };

  const readPage = (subscriber: Subscriber): Page => {
    const changes = views.changes();
    if (!changes.wasGiven(subscriber.cursor)) beginAnew(subscriber);
    const upTo = changes.reach();
    if (subscriber.next.behind === "mark" && !isHere(changes, subscriber.next.mark, upTo))
      subscriber.next = behindNumber(changes, subscriber.cursor);
    const { leadId, workspaceId, cursor: after, next } = subscriber;
    return { heads: headsOf(changes, next, leadId, workspaceId), told: 0, after, upTo };
  };

  const join = (subscriber: Subscriber, upTo: Reach): void => {
    subscriber.state = "live";
    const places = placesOf(subscriber);
    const name = placeName(subscriber);
    const place = places.get(name) ?? { subscribers: new Set(), seen: upTo };
    places.set(name, place);
    place.subscribers.add(subscriber);
  };

  /** For one that says it has seen what this database never told: another one did, which is lost. */
  const beginAnew = (subscriber: Subscriber): void => {
    const changes = views.changes();
    subscriber.cursor = 0;
    subscriber.next = behindNumber(changes, 0);
    subscriber.snapshotOf = changes.reach().resume;
    write(subscriber, resetFrame());
  };

  const poll = (): void => {
    try {
      const changes = views.changes();
      const now = changes.reach();
      for (const [workspaceId, place] of workspaces) readWorkspace(changes, workspaceId, place, now);
      readLeads(changes, now);
    } catch {
      // As above: nothing was passed over, a place's `seen` stands where it stood.
    }
  };

  const readWorkspace = (changes: Changes, workspaceId: string, place: Place, now: Reach): void => {
    const { seen } = place;
    if (seen.mark === now.mark || isLost(changes, place, now)) return;
    const heads = changes.since(seen.mark, PAGE, workspaceId);
    for (const head of heads) dispatch(place, head, seen);
    place.seen = heads.length === PAGE ? (heads.at(-1) as ToldHead) : now;
  };

  const readLeads = (changes: Changes, now: Reach): void => {
    const behind = [...leads].filter(
      ([, place]) => place.seen.mark !== now.mark && !isLost(changes, place, now),
    );
    if (behind.length === 0) return;
    if (behind.length <= LOOK_UPS) {
      for (const [leadId, place] of behind) {
        for (const head of changes.sinceOf(leadId, place.seen.mark)) dispatch(place, head, place.seen);
        place.seen = now;
      }
      return;
    }
    const from = Math.min(...behind.map(([, place]) => place.seen.mark));
    const heads = changes.since(from, LOOK_UPS * 4);
    for (const head of heads) {
      const place = leads.get(head.leadId);
      if (place && head.mark > place.seen.mark) dispatch(place, head, place.seen);
    }
    const upTo = heads.length === LOOK_UPS * 4 ? (heads.at(-1) as ToldHead) : now;
    for (const [, place] of behind) if (upTo.mark > place.seen.mark) place.seen = upTo;
  };

  /** A database that knows less than was told was put in the place of ours, or we looked too late: all begin anew. */
  const isLost = (changes: Changes, place: Place, now: Reach): boolean => {
    if (isHere(changes, place.seen.mark, now)) return false;
    for (const subscriber of [...place.subscribers]) {
      leave(subscriber);
      void catchUp(subscriber);
    }
    return true;
  };

  const dispatch = (place: Place, head: ToldHead, seen: Reach): void => {
    let row: ChangeRow | undefined;
    let frame: Buffer | undefined;
    for (const subscriber of [...place.subscribers]) {
      const { next } = subscriber;
      if (next.behind === "mark" && head.mark <= next.mark) continue;
      if (!concerns(subscriber, head, seen.resume)) continue;
      row ??= views.change(head.leadId);
      // It changed again meanwhile: the next look tells of it.
      if (row?.number !== head.number) return;
      frame ??= changeFrame(row, seen.resume, head.resume);
      tell(subscriber, frame, head);
    }
  };

  const askAll = (): void => {
    for (const subscriber of [...register]) {
      if (!subscriber.isAllowed()) end(subscriber, "the key is not valid any more");
    }
  };

  const keepAlive = (): void => {
    for (const subscriber of register) {
      if (subscriber.state !== "live" || undrained.has(subscriber)) continue;
      const seen = placesOf(subscriber).get(placeName(subscriber))?.seen;
      subscriber.cursor = Math.max(subscriber.cursor, seen?.resume ?? 0);
      if (seen) subscriber.next = { behind: "mark", mark: seen.mark };
      write(subscriber, keepAliveFrame(subscriber.cursor));
    }
  };

  const startTimers = (): void => {
    timers.push(every(POLL_MS, poll), every(ASK_MS, askAll), every(KEEP_ALIVE_MS, keepAlive));
  };
  const stopTimers = (): void => {
    for (const timer of timers.splice(0)) timer.stop();
  };

  return {
    subscribe(subscription, response) {
      const changes = views.changes();
      const { mark, resume } = changes.reach();
      const { after } = subscription;
      const subscriber: Subscriber = {
        ...subscription,
        response,
        state: "catching up",
        cursor: after ?? resume,
        next: after === undefined ? { behind: "mark", mark } : behindNumber(changes, after),
        snapshotOf: after === 0 ? resume : undefined,
        page: undefined,
      };
      if (register.size === 0) startTimers();
      register.add(subscriber);
      response.on("close", () => gone(subscriber));
      response.on("error", () => gone(subscriber));
      if (closed) {
        end(subscriber, "this process is stopping; resume with Last-Event-ID");
        return;
      }
      write(subscriber, readyFrame(subscriber.cursor));
      void catchUp(subscriber);
    },
    size: () => register.size,
    catchingUp: () => [...register].filter(({ state }) => state === "catching up").length,
    waitingBytes,
    close() {
      closed = true;
      for (const subscriber of [...register])
        end(subscriber, "this process is stopping; resume with Last-Event-ID");
      stopTimers();
    },
  };
}

/** Where one goes on that has seen everything up to a number. */
function behindNumber(changes: Changes, number: number): Next {
  const mark = changes.markOf(number);
  return mark === undefined ? { behind: "number", number, began: changes.reach() } : { behind: "mark", mark };
}

const isHere = (changes: Changes, mark: number, now: Reach): boolean =>
  mark <= now.mark && changes.remembers(mark);

function headsOf(changes: Changes, next: Next, leadId: string | undefined, workspaceId: string): ToldHead[] {
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

/** @param seen the number up to which the subscriber was told of everything */
function concerns(
  { workspaceId, leadId, status, sections }: Subscriber,
  head: ToldHead,
  seen: number,
): boolean {
  if (head.workspaceId !== workspaceId || (leadId !== undefined && head.leadId !== leadId)) return false;
  if (head.status === null) return true;
  if (status !== undefined && head.status !== status) return false;
  return sections.length === 0 || changedSections(head, seen).some((section) => sections.includes(section));
}

/** Waits until what waits was taken, or so many milliseconds. */
const drained = (response: ServerResponse, mostMs: number): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      timer.stop();
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    const timer = after(mostMs, done);
    response.once("drain", done);
    response.once("close", done);
  });
