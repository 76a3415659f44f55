import type { Hook, Message, Outside } from "./outside.ts";
import {
  type Connection,
  eventParser,
  openConnection,
  Reader,
  type Report,
  type StreamEvent,
  Told,
  viewWithin,
} from "./readers.ts";
import type { Api } from "./simulation.ts";
import { canaryStart, foreignCanary } from "./what-was-said.ts";

/** Somebody who reads a stream, and comes again behind what it saw. */
export interface Subscriber {
  readonly workspaceId: string;
  readonly key: string;
  /** Undefined = all leads of the workspace. */
  readonly leadId: string | undefined;
  readonly reader: Reader;
  /** The id of the last event; undefined = none, it begins with all there is. */
  last: number | undefined;
  connection: Connection | undefined;
  stalled: boolean;
  /** Since when it takes what comes, by the machine's clock. */
  readsSince: number;
  /** True once its key does not hold any more. */
  revoked: boolean;
  revokedAt: number;
  caughtUp: boolean;
}

const OTHERS: Readonly<Record<string, string>> = { "ws-1": "ws-2", "ws-2": "ws-1" };

/** Everybody who is told of views, with what is wrong with what they are told. */
export class Readers {
  readonly told: Told;
  readonly polling = new Map<string, Reader>();
  readonly subscribers: Subscriber[] = [];
  readonly topic: Reader;
  readonly receivers = new Map<string, Reader>();
  readonly deadLetters = new Set<string>();
  readonly #report: Report;
  readonly #outside: Outside;

  constructor(outside: Outside, report: Report) {
    this.#report = report;
    this.#outside = outside;
    this.told = new Told(report);
    this.topic = new Reader("the topic of views", this.told, report);
    outside.onMessage = (topic, message) => this.#message(topic, message);
    outside.onHook = (hook) => this.#hook(hook);
  }

  /** The database is another one from now on: what was seen may be told again from before. */
  beginAgain(): void {
    for (const reader of [this.topic, ...this.polling.values(), ...this.receivers.values()])
      reader.beginAgain();
    for (const { reader } of this.subscribers) reader.beginAgain();
  }

  of(workspaceId: string): Reader {
    const known =
      this.polling.get(workspaceId) ?? new Reader(`a reader of ${workspaceId}`, this.told, this.#report);
    this.polling.set(workspaceId, known);
    return known;
  }

  receiver(url: string): Reader {
    const known = this.receivers.get(url) ?? new Reader(`the receiver ${url}`, this.told, this.#report);
    this.receivers.set(url, known);
    return known;
  }

  subscribe(workspaceId: string, key: string, leadId: string | undefined): Subscriber {
    const name = `subscriber ${this.subscribers.length} of ${workspaceId}`;
    const subscriber: Subscriber = {
      workspaceId,
      key,
      leadId,
      reader: new Reader(name, this.told, this.#report),
      last: undefined,
      connection: undefined,
      stalled: false,
      readsSince: 0,
      revoked: false,
      revokedAt: Number.POSITIVE_INFINITY,
      caughtUp: false,
    };
    this.subscribers.push(subscriber);
    return subscriber;
  }

  /** Opens the stream, behind what the subscriber saw. */
  connect(subscriber: Subscriber, api: Api, now: () => number): void {
    const { key, leadId, last, reader } = subscriber;
    const path =
      leadId === undefined
        ? "/api/v1/lead-views/events?from=start"
        : `/api/v1/leads/${encodeURIComponent(leadId)}/events?from=start`;
    const headers = { "x-api-key": key, ...(last === undefined ? {} : { "last-event-id": String(last) }) };
    const gone = () => {
      if (subscriber.connection === connection) subscriber.connection = undefined;
    };
    const parse = eventParser((event) => {
      if (subscriber.connection !== connection) return;
      const late = now() - subscriber.revokedAt;
      if (subscriber.revoked && late > REVOKED_MS && event.event !== "ended" && !connection.takesOld)
        this.#report(`${reader.name} reads on ${late} ms after its key was revoked`);
      this.#event(subscriber, event);
    });
    const connection: Connection = openConnection(api, path, headers, {
      onStatus(status) {
        if (status !== 200) {
          gone();
          connection.close();
        }
      },
      onText: parse,
      onClose: gone,
    });
    subscriber.connection = connection;
    subscriber.stalled = false;
    subscriber.readsSince = now();
  }

  #event(subscriber: Subscriber, { id, event, data }: StreamEvent): void {
    const { reader, workspaceId } = subscriber;
    if (event === "reset") reader.forget();
    if (event === "caught_up") subscriber.caughtUp = true;
    if (event?.startsWith("lead_view.") && data !== undefined) {
      this.#foreign(reader.name, workspaceId, data);
      const { leadId, version } = JSON.parse(data) as { leadId: string; version: number };
      const view = event === "lead_view.erased" ? null : viewWithin(data, "}");
      this.#erased(reader, leadId, view);
      reader.see(leadId, version, view);
      if (id !== version) this.#report(`${reader.name}: the event of version ${version} has the id ${id}`);
    }
    if (id === undefined) return;
    subscriber.last = id;
    this.told.highest = Math.max(this.told.highest, id);
  }

  #message(topic: string, { key, value, headers }: Message): void {
    if (topic.endsWith("dead_letter")) {
      const at = ["topic", "partition", "offset"].map((name) => headers[`__connect.errors.${name}`]);
      this.deadLetters.add(at.join("/"));
      return;
    }
    const leadId = key ?? "";
    this.#erased(this.topic, leadId, value);
    this.#foreign(this.topic.name, headers.ce_workspaceid ?? "", value ?? "");
    this.topic.see(leadId, Number(headers.version), value);
  }

  #hook({ url, body }: Hook): void {
    const reader = this.receiver(url);
    const workspaceId = /\/(ws-\d)\//.exec(url)?.[1] ?? "";
    this.#foreign(reader.name, workspaceId, body);
    const { data } = JSON.parse(body) as { data: { leadId: string; version: number; workspaceId: string } };
    if (data.version === undefined) return;
    if (data.workspaceId !== workspaceId)
      this.#report(`${reader.name} is told of a lead of ${data.workspaceId}`);
    const view = viewWithin(body, "}}");
    this.#erased(reader, data.leadId, view);
    reader.see(data.leadId, data.version, view);
  }

  /** What a reader was told is gone does not come again. */
  #erased(reader: Reader, leadId: string, view: string | null): void {
    const seen = reader.leads.get(leadId);
    if (view === null || seen?.view !== null || seen.stale) return;
    if (view.includes(canaryStart(leadId)) && this.isErased(leadId))
      this.#report(`${reader.name} is told of ${leadId} again, which was erased`);
  }

  isErased: (leadId: string) => boolean = () => false;

  #foreign(name: string, workspaceId: string, text: string): void {
    const other = OTHERS[workspaceId];
    if (other !== undefined && text.includes(foreignCanary(other)))
      this.#report(`${name}, of ${workspaceId}, is told of what ${other} said`);
  }

  get messages(): ReadonlyMap<string, Message[]> {
    return this.#outside.topics;
  }
}

/** A revoked key reads no longer than a second, as the README says. */
const REVOKED_MS = 1_000;
