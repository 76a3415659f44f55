import { hash } from "node:crypto";
import { duplexPair } from "node:stream";
import type { LeadServer } from "../../api/server.ts";
import { type Actor, inActor } from "./machine.ts";

/** What is wrong with what somebody was told. */
export type Report = (violation: string) => void;

/** All that anyone was ever told, by number: one number never has two contents. */
export class Told {
  readonly #contents = new Map<number, string>();
  readonly #report: Report;
  highest = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  /** @param view its text without URLs; null where it is gone */
  note(reader: string, leadId: string, number: number, view: string | null): void {
    const content = `${leadId} ${view === null ? "gone" : hash("md5", view)}`;
    const before = this.#contents.get(number);
    if (before !== undefined && before !== content)
      this.#report(`two contents of one number: ${number} was ${before}, to ${reader} it is ${content}`);
    this.#contents.set(number, content);
    this.highest = Math.max(this.highest, number);
  }
}

interface Seen {
  readonly number: number;
  readonly view: string | null;
  /** True where it was of an earlier life of the database: it may be told again from before. */
  stale: boolean;
}

/** What one reader knows. */
export class Reader {
  readonly name: string;
  readonly #told: Told;
  readonly #report: Report;
  /** The number and the view of each lead; null where it is gone. */
  readonly leads = new Map<string, Seen>();
  /** Leads that were erased, and that it was answered are not there. */
  readonly erased = new Set<string>();

  constructor(name: string, told: Told, report: Report) {
    this.name = name;
    this.#told = told;
    this.#report = report;
  }

  see(leadId: string, number: number, view: string | null): void {
    const before = this.leads.get(leadId);
    if (before !== undefined && !before.stale && number < before.number)
      this.#report(`a number went back: ${this.name} saw ${leadId} at ${before.number}, then at ${number}`);
    this.#told.note(this.name, leadId, number, view);
    this.leads.set(leadId, { number, view, stale: false });
  }

  /** The database has lost something: what was seen may come again from before. */
  beginAgain(): void {
    for (const seen of this.leads.values()) seen.stale = true;
    this.erased.clear();
  }

  /** It was told to keep nothing. */
  forget(): void {
    this.leads.clear();
    this.erased.clear();
  }
}

/** The view without its URLs, from an answer that has them. */
export const withoutUrls = (body: string): string =>
  body.replace(/"signedUrl":"(?:https?:[^"\\]|\\.)[^"]*"/g, '"signedUrl":null');

/** One request over a connection of its own, as the API's server has it from the network; its answer as it comes. */
export interface Connection {
  /** True while it takes what had come before it stalled, or until what it had room for was full. */
  readonly takesOld: boolean;
  /** From now on nothing is taken of what comes. */
  stall(): void;
  resume(): void;
  close(): void;
}

export function openConnection(
  { server, actor }: { readonly server: LeadServer; readonly actor: Actor },
  path: string,
  headers: Readonly<Record<string, string>>,
  { onStatus, onText, onClose }: Listening,
): Connection {
  // So small that a view fills it: what waits for a reader is as usual as what does not.
  const [ours, theirs] = duplexPair({ highWaterMark: 1_024 });
  Object.assign(theirs, { remoteAddress: "192.0.2.7" });
  let stalled = false;
  let takesOld = false;
  const parse = chunkedParser({ onStatus, onText, onEnd: () => ours.destroy() });
  ours.on("data", (chunk: Buffer) => parse(chunk));
  ours.on("close", onClose);
  ours.on("end", onClose);
  for (const end of [ours, theirs]) end.on("error", () => undefined);
  const text = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  inActor(actor, () => {
    server.server.emit("connection", theirs);
    ours.write(`GET ${path} HTTP/1.1\r\nhost: sim\r\n${text.join("")}\r\n`);
  });
  return {
    get takesOld() {
      return takesOld;
    },
    stall() {
      stalled = true;
      ours.pause();
    },
    resume() {
      if (!stalled) return;
      stalled = false;
      inActor(actor, () => {
        takesOld = true;
        if (ours.readableLength > 0) ours.read(ours.readableLength);
        takesOld = false;
        ours.resume();
      });
    },
    close() {
      inActor(actor, () => {
        ours.destroy();
        theirs.destroy();
      });
    },
  };
}

export interface Listening {
  readonly onStatus: (status: number) => void;
  readonly onText: (text: string) => void;
  readonly onClose: () => void;
}

/** Reads an HTTP/1.1 answer whose body is chunked. The answer can end, and its connection be kept for another one. */
function chunkedParser({ onStatus, onText, onEnd }: Omit<Listening, "onClose"> & { onEnd: () => void }) {
  let waiting: Buffer = Buffer.alloc(0);
  let inBody = false;
  return (chunk: Buffer): void => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    if (!inBody) {
      const end = waiting.indexOf("\r\n\r\n");
      if (end < 0) return;
      onStatus(Number(waiting.toString("latin1", 9, 12)));
      waiting = waiting.subarray(end + 4);
      inBody = true;
    }
    for (;;) {
      const end = waiting.indexOf("\r\n");
      if (end < 0) return;
      const size = Number.parseInt(waiting.toString("latin1", 0, end), 16);
      if (size === 0) onEnd();
      if (!(size > 0) || waiting.length < end + 4 + size) return;
      onText(waiting.toString("utf8", end + 2, end + 2 + size));
      waiting = waiting.subarray(end + 4 + size);
    }
  };
}

/** One event of a stream. */
export interface StreamEvent {
  readonly id: number | undefined;
  readonly event: string | undefined;
  readonly data: string | undefined;
}

/** Cuts a stream's text into events. */
export function eventParser(onEvent: (event: StreamEvent) => void): (text: string) => void {
  let waiting = "";
  return (text) => {
    waiting += text;
    for (let end = waiting.indexOf("\n\n"); end >= 0; end = waiting.indexOf("\n\n")) {
      const fields: Record<string, string> = {};
      for (const line of waiting.slice(0, end).split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
      }
      waiting = waiting.slice(end + 2);
      const { id, event, data } = fields;
      onEvent({ id: id === undefined ? undefined : Number(id), event, data });
    }
  };
}

/** The view's text within a message that holds it as its last member. */
export function viewWithin(text: string, tail: string): string | null {
  const at = text.indexOf(',"view":');
  return at < 0 ? null : text.slice(at + 8, text.length - tail.length);
}
