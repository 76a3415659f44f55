import type { ServerResponse } from "node:http";
import { after, delay, every, monotonic, nextTurn, type Timer } from "../shared/clock.ts";
import type { ChangeHead, ChangeRow } from "../shared/view/change.ts";
import { changedSections } from "../shared/view/change.ts";
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
  /** All that concerns it up to this number was written. */
  cursor: number;
  /** The last number that was given when it began from the start, until it was told all up to there; else undefined. */
  snapshotOf: number | undefined;
  /** What it is being told while it catches up; undefined = to be read. */
  page: Page | undefined;
}

/** Changes that a subscriber has not seen. */
interface Page {
  readonly heads: readonly ChangeHead[];
  /** How many of them it was told of. */
  told: number;
  /** The number that they stand behind, and the last one that was given when they were read. */
  readonly after: number;
  readonly upTo: number;
}

/** What live subscribers want read: one lead's changes, or a workspace's. */
interface Place {
  readonly subscribers: Set<Subscriber>;
  /** All of them were told of everything up to here. */
  seen: number;
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
  const tell = (subscriber: Subscriber, frame: Buffer, number: number): void => {
    if (undrained.has(subscriber) || waitingBytes() + frame.length > mostWaitingBytes) {
      leave(subscriber);
      void catchUp(subscriber);
      return;
    }
    write(subscriber, frame);
    subscriber.cursor = number;
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
      const head = page.heads[page.told] as ChangeHead;
      // To who begins with nothing, what is gone never was.
      const isNews = head.status !== null || head.number > (subscriber.snapshotOf ?? 0);
      const row = isNews && concerns(subscriber, head, page.after) ? views.change(head.leadId) : undefined;
      // One that changed meanwhile comes again under its new number. A frame, however large, goes to one that waits for
      // nothing else.
      if (row?.number === head.number) write(subscriber, changeFrame(row, page.after));
      subscriber.cursor = head.number;
    }
    subscriber.page = undefined;
    if (subscriber.leadId === undefined && page.heads.length === PAGE) return false;
    subscriber.cursor = Math.max(subscriber.cursor, page.upTo);
    // What came since it was read.
    if (page.upTo !== views.lastChange()) return false;
    if (subscriber.snapshotOf !== undefined) write(subscriber, caughtUpFrame(subscriber.cursor));
    subscriber.snapshotOf = undefined;
    join(subscriber, page.upTo);
    return true;
  };

  const readPage = (subscriber: Subscriber): Page => {
    const upTo = views.lastChange();
    if (subscriber.cursor > upTo) beginAnew(subscriber);
    const { leadId, workspaceId, cursor: after } = subscriber;
    const heads =
      leadId === undefined ? views.heads(after, PAGE, workspaceId) : headsOfLead(views, leadId, after);
    return { heads, told: 0, after, upTo };
  };

  const join = (subscriber: Subscriber, upTo: number): void => {
    subscriber.state = "live";
    const places = placesOf(subscriber);
    const name = placeName(subscriber);
    const place = places.get(name) ?? { subscribers: new Set(), seen: upTo };
    places.set(name, place);
    place.subscribers.add(subscriber);
  };

  /** For one that says it has seen what this database never told: another one did, which is lost. */
  const beginAnew = (subscriber: Subscriber): void => {
    subscriber.cursor = 0;
    subscriber.snapshotOf = views.lastChange();
    write(subscriber, resetFrame());
  };

  const poll = (): void => {
    try {
      const now = views.lastChange();
      for (const [workspaceId, place] of workspaces) readWorkspace(workspaceId, place, now);
      readLeads(now);
    } catch {
      // As above: nothing was passed over, a place's `seen` stands where it stood.
    }
  };

  const readWorkspace = (workspaceId: string, place: Place, now: number): void => {
    if (place.seen === now || wentBack(place, now)) return;
    const heads = views.heads(place.seen, PAGE, workspaceId);
    const { seen } = place;
    for (const head of heads) dispatch(place, head, seen);
    place.seen = heads.length === PAGE ? (heads.at(-1) as ChangeHead).number : Math.max(now, seen);
  };

  const readLeads = (now: number): void => {
    const behind = [...leads].filter(([, place]) => place.seen !== now && !wentBack(place, now));
    if (behind.length === 0) return;
    if (behind.length <= LOOK_UPS) {
      for (const [leadId, place] of behind) {
        for (const head of headsOfLead(views, leadId, place.seen)) dispatch(place, head, place.seen);
        place.seen = now;
      }
      return;
    }
    const from = Math.min(...behind.map(([, place]) => place.seen));
    const heads = views.heads(from, LOOK_UPS * 4);
    for (const head of heads) {
      const place = leads.get(head.leadId);
      if (place && head.number > place.seen) dispatch(place, head, place.seen);
    }
    const upTo = heads.length === LOOK_UPS * 4 ? (heads.at(-1) as ChangeHead).number : now;
    for (const [, place] of behind) place.seen = Math.max(place.seen, upTo);
  };

  /** A database that knows less than was told was put in the place of ours: all begin anew. */
  const wentBack = (place: Place, now: number): boolean => {
    if (place.seen <= now) return false;
    for (const subscriber of [...place.subscribers]) {
      leave(subscriber);
      void catchUp(subscriber);
    }
    return true;
  };

  const dispatch = (place: Place, head: ChangeHead, seen: number): void => {
    let row: ChangeRow | undefined;
    let frame: Buffer | undefined;
    for (const subscriber of [...place.subscribers]) {
      if (head.number <= subscriber.cursor || !concerns(subscriber, head, seen)) continue;
      row ??= views.change(head.leadId);
      // It changed again meanwhile: the next look tells of it.
      if (row?.number !== head.number) return;
      frame ??= changeFrame(row, seen);
      tell(subscriber, frame, head.number);
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
      const seen = placesOf(subscriber).get(placeName(subscriber))?.seen ?? 0;
      subscriber.cursor = Math.max(subscriber.cursor, seen);
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
      const last = views.lastChange();
      const subscriber: Subscriber = {
        ...subscription,
        response,
        state: "catching up",
        cursor: subscription.after ?? last,
        snapshotOf: subscription.after === 0 ? last : undefined,
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

/** A lead's latest change as a list: empty where it is not behind the number. */
function headsOfLead(views: Views, leadId: string, after: number): ChangeHead[] {
  const head = views.head(leadId);
  return head !== undefined && head.number > after ? [head] : [];
}

/** @param seen the number up to which the subscriber was told of everything */
function concerns(
  { workspaceId, leadId, status, sections }: Subscriber,
  head: ChangeHead,
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
