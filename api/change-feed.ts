import type { ServerResponse } from "node:http";
import { type ChangeRow, changedSections, viewWithoutUrls } from "../shared/view/change.ts";
import type { Views } from "./views.ts";

const POLL_MS = 20;
const AT_ONCE = 1_000;
const PAGE = 100;
const KEEP_ALIVE_MS = 15_000;
/** Bytes that may wait for a slow reader; beyond that it is dropped, and may resume. */
const MOST_WAITING = 1024 * 1024;

export interface Subscription {
  readonly workspaceId: string;
  /** Undefined = all leads of the workspace. */
  readonly leadId: string | undefined;
  /** Only views of this status; undefined = of any. */
  readonly status: string | undefined;
  /** Only changes of one of these sections of the view; empty = of any. */
  readonly sections: readonly string[];
  /** The number of the last change that the subscriber has seen; undefined = begin with what comes. */
  readonly after: number | undefined;
  /** Asked now and then whether the subscriber may still read. */
  readonly isAllowed: () => boolean;
}

interface Subscriber extends Subscription {
  readonly response: ServerResponse;
  cursor: number;
}

/** The view's changes as Server-Sent Events (design.md section 9). */
export interface ChangeFeed {
  subscribe(subscription: Subscription, response: ServerResponse): Promise<void>;
  /** How many read along. */
  size(): number;
  close(): void;
}

/** One reader of the outbox for all subscribers of this process. */
export function createChangeFeed(views: Views): ChangeFeed {
  const live = new Set<Subscriber>();
  /** The live ones by what they read: a lead's changes concern few of many. */
  const readers = new Map<string, Set<Subscriber>>();
  let last = 0;
  let timer: NodeJS.Timeout | undefined;

  const poll = () => {
    for (;;) {
      const rows = readOrNothing(() => (views.lastChange() > last ? views.changes(last, AT_ONCE) : []));
      for (const row of rows) {
        last = row.number;
        dispatch(row);
      }
      if (rows.length < AT_ONCE) return;
    }
  };

  const dispatch = (row: ChangeRow) => {
    let frame: Buffer | undefined;
    for (const place of [`lead ${row.leadId}`, `workspace ${row.workspaceId}`]) {
      for (const subscriber of readers.get(place) ?? []) {
        if (row.number <= subscriber.cursor || !concerns(subscriber, row)) continue;
        subscriber.cursor = row.number;
        frame ??= frameOf(row, row.number - 1);
        send(subscriber, frame);
      }
    }
  };

  const send = (subscriber: Subscriber, frame: Buffer | string) => {
    const { response } = subscriber;
    response.write(frame);
    if (response.writableLength <= MOST_WAITING) return;
    response.write(
      'event: dropped\ndata: {"reason":"the reader is too slow; resume with Last-Event-ID"}\n\n',
    );
    drop(subscriber);
  };

  const join = (subscriber: Subscriber) => {
    live.add(subscriber);
    const place = placeOf(subscriber);
    const there = readers.get(place) ?? new Set();
    readers.set(place, there.add(subscriber));
  };

  const leave = (subscriber: Subscriber) => {
    live.delete(subscriber);
    const place = placeOf(subscriber);
    const there = readers.get(place);
    there?.delete(subscriber);
    if (there?.size === 0) readers.delete(place);
  };

  const drop = (subscriber: Subscriber) => {
    leave(subscriber);
    // What still waits may never be read: the connection is closed, not kept for it.
    subscriber.response.end();
    setTimeout(() => subscriber.response.destroy(), 1_000).unref();
  };

  /** Reads what the subscriber missed, page by page, at its own pace, until nothing is between it and the live ones. */
  const catchUp = async (subscriber: Subscriber): Promise<void> => {
    for (;;) {
      const rows = views.changes(subscriber.cursor, PAGE, subscriber.workspaceId);
      for (const row of rows) {
        if (concerns(subscriber, row)) subscriber.response.write(frameOf(row, subscriber.cursor));
      }
      subscriber.cursor = rows.at(-1)?.number ?? subscriber.cursor;
      if (rows.length < PAGE) return;
      if (subscriber.response.writableNeedDrain) await drained(subscriber.response);
      if (subscriber.response.destroyed) return;
    }
  };

  const keepAlive = setInterval(() => {
    for (const subscriber of live) {
      if (subscriber.isAllowed()) send(subscriber, ": keep-alive\n\n");
      else drop(subscriber);
    }
  }, KEEP_ALIVE_MS).unref();

  return {
    async subscribe(subscription, response) {
      if (timer === undefined) {
        last = views.lastChange();
        timer = setInterval(poll, POLL_MS);
      }
      const subscriber: Subscriber = {
        ...subscription,
        response,
        cursor: subscription.after ?? views.lastChange(),
      };
      response.on("close", () => {
        leave(subscriber);
        if (live.size === 0) {
          clearInterval(timer);
          timer = undefined;
        }
      });
      response.write(`id: ${subscriber.cursor}\nevent: ready\ndata: {}\n\n`);
      await catchUp(subscriber);
      if (!response.destroyed) join(subscriber);
    },
    size: () => live.size,
    close() {
      clearInterval(timer);
      clearInterval(keepAlive);
      for (const subscriber of live) drop(subscriber);
    },
  };
}

const placeOf = ({ leadId, workspaceId }: Subscription): string =>
  leadId === undefined ? `workspace ${workspaceId}` : `lead ${leadId}`;

function readOrNothing(read: () => ChangeRow[]): ChangeRow[] {
  try {
    return read();
  } catch {
    // The database is being exchanged: the next look finds the new one.
    return [];
  }
}

function concerns({ workspaceId, leadId, status, sections, cursor }: Subscriber, row: ChangeRow): boolean {
  if (row.workspaceId !== workspaceId || (leadId !== undefined && row.leadId !== leadId)) return false;
  if (row.status === null) return true;
  if (status !== undefined && row.status !== status) return false;
  return sections.length === 0 || changedSections(row, cursor).some((section) => sections.includes(section));
}

/** One event: the view as it is now, without URLs; or that it is gone. */
function frameOf(row: ChangeRow, after: number): Buffer {
  const { number, leadId, status, body, urlSlots } = row;
  if (status === null || body === null) {
    return Buffer.from(
      `id: ${number}\nevent: lead_view.erased\ndata: ${JSON.stringify({ leadId, version: number })}\n\n`,
    );
  }
  const head = JSON.stringify({
    leadId,
    version: number,
    status,
    changed: changedSections(row, after),
  }).slice(0, -1);
  return Buffer.concat([
    Buffer.from(`id: ${number}\nevent: lead_view.changed\ndata: ${head},"view":`),
    viewWithoutUrls(body, urlSlots),
    END,
  ]);
}

const END = Buffer.from("}\n\n");

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => resolve();
    response.once("drain", done);
    response.once("close", done);
  });
