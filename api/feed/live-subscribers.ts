import type { Reach, SequencedHead } from "../../shared/view/arrival.ts";
import type { ChangeRow } from "../../shared/view/change.ts";
import type { Changes } from "../changes.ts";
import type { Views } from "../views.ts";
import { changeFrame } from "./frames.ts";
import type { StreamWriter } from "./stream-writer.ts";
import { concerns, isHere, PAGE, type Subscriber, type Subscription } from "./subscriber.ts";

/** With more leads asked for than this, what changed is read in order, instead of asking for each of them. */
const LOOK_UPS = 256;

/** What live subscribers want read: one lead's changes, or a workspace's. */
interface Place {
  readonly subscribers: Set<Subscriber>;
  /** All of them were told of everything up to here. */
  seen: Reach;
}

/** Those who have seen all there is: what comes is read once for all of them, and is one frame for all that want it. */
export interface LiveSubscribers {
  /** @param upTo up to where the subscriber has seen everything */
  join(subscriber: Subscriber, upTo: Reach): void;
  leave(subscriber: Subscriber): void;
  /** Looks for changes, and tells of them. */
  look(): void;
  /** Up to where a live subscriber was told of everything that concerns it; undefined where it is not live. */
  seen(subscriber: Subscriber): Reach | undefined;
}

/** @param onBehind told of a subscriber that can't be told with the others, and is not live any more */
export function createLiveSubscribers(
  views: Views,
  writer: StreamWriter,
  onBehind: (subscriber: Subscriber) => void,
): LiveSubscribers {
  const workspaces = new Map<string, Place>();
  const leads = new Map<string, Place>();
  const placesOf = ({ leadId }: Subscription) => (leadId === undefined ? workspaces : leads);
  const placeName = ({ leadId, workspaceId }: Subscription) => leadId ?? workspaceId;

  const leave = (subscriber: Subscriber): void => {
    const places = placesOf(subscriber);
    const place = places.get(placeName(subscriber));
    place?.subscribers.delete(subscriber);
    if (place?.subscribers.size === 0) places.delete(placeName(subscriber));
  };

  const fallBehind = (subscriber: Subscriber): void => {
    leave(subscriber);
    onBehind(subscriber);
  };

  /** One for whom something still waits reads by itself from now on. */
  const tell = (subscriber: Subscriber, frame: Buffer, { mark, resume }: Reach): void => {
    if (writer.isBehind(subscriber) || !writer.hasRoom(frame.length)) {
      fallBehind(subscriber);
      return;
    }
    writer.write(subscriber, frame);
    subscriber.cursor = Math.max(subscriber.cursor, resume);
    subscriber.next = { behind: "mark", mark };
  };

  const dispatch = (place: Place, head: SequencedHead, seen: Reach): void => {
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

  /** A database that knows less than was told was put in the place of ours, or we looked too late: all begin anew. */
  const isLost = (changes: Changes, place: Place, now: Reach): boolean => {
    if (isHere(changes, place.seen.mark, now)) return false;
    for (const subscriber of [...place.subscribers]) fallBehind(subscriber);
    return true;
  };

  const readWorkspace = (changes: Changes, workspaceId: string, place: Place, now: Reach): void => {
    const { seen } = place;
    if (seen.mark === now.mark || isLost(changes, place, now)) return;
    const heads = changes.since(seen.mark, PAGE, workspaceId);
    for (const head of heads) dispatch(place, head, seen);
    place.seen = heads.length === PAGE ? (heads.at(-1) as SequencedHead) : now;
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
    const upTo = heads.length === LOOK_UPS * 4 ? (heads.at(-1) as SequencedHead) : now;
    for (const [, place] of behind) if (upTo.mark > place.seen.mark) place.seen = upTo;
  };

  return {
    join(subscriber, upTo) {
      subscriber.state = "live";
      const places = placesOf(subscriber);
      const name = placeName(subscriber);
      const place = places.get(name) ?? { subscribers: new Set(), seen: upTo };
      places.set(name, place);
      place.subscribers.add(subscriber);
    },
    leave,
    look() {
      try {
        const changes = views.changes();
        const now = changes.reach();
        for (const [workspaceId, place] of workspaces) readWorkspace(changes, workspaceId, place, now);
        readLeads(changes, now);
      } catch {
        // The database is being exchanged, or can't be read just now. Nothing was passed over: a place's `seen` stands
        // where it stood.
      }
    },
    seen(subscriber) {
      const place = placesOf(subscriber).get(placeName(subscriber));
      return place?.subscribers.has(subscriber) ? place.seen : undefined;
    },
  };
}
