import { delay } from "../../../shared/clock.ts";
import type { Logger } from "../../../shared/log.ts";
import type { ChangeRow } from "../../../shared/view/change.ts";
import type { Store } from "../../store/store.ts";
import { passingOn, type Tracing } from "../../trace/tracing.ts";
import { type Outbox, readOutbox } from "../outbox-reader.ts";
import { createEndpointChannel } from "./endpoint-channel.ts";
import { type Endpoint, type Endpoints, RELAY_PREFIX, relayOf } from "./endpoints.ts";
import { isAtHome, settleHere } from "./home.ts";
import { ANSWER_MS } from "./post.ts";
import { SCHEDULE_MS } from "./retry-policy.ts";

const LOOK_MS = 200;
/** Bytes of views that an endpoint has in memory at once. */
const AT_ONCE_BYTES = 4 * 1024 ** 2;

export interface Delivering {
  readonly store: Store;
  readonly endpoints: Endpoints;
  readonly databaseDir: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly allowPrivate: boolean;
  readonly tracing?: Tracing;
  readonly schedule?: readonly number[];
  readonly answerMs?: number;
}

/** One endpoint's reader. */
interface Reader {
  endpoint: Endpoint;
  readonly stopping: AbortController;
  readonly done: Promise<void>;
}

/**
 * Tells every endpoint of its workspace's changed views until the signal aborts: at least once, in order per lead, each
 * endpoint by itself; of a lead that changed several times meanwhile, the latest view. Trouble with a receiver or with the
 * endpoints' file stays here.
 */
export async function deliverWebhooks(delivering: Delivering): Promise<void> {
  const { endpoints, databaseDir, log, signal } = delivering;
  const readers = new Map<string, Reader>();
  /** What is to be written of an endpoint, and could not be yet. */
  const unwritten = new Map<string, () => void>();
  let settled = false;
  let said = "";
  /** The endpoints that there were at the last look. */
  let seen: ReadonlySet<string> = new Set();
  /** True where positions of endpoints may be kept that are no more. */
  let tidy = true;

  const sayOnce = (fields: object, message: string) => {
    const text = `${message} ${JSON.stringify(fields)}`;
    if (text !== said) log.warn(fields, message);
    said = text;
  };

  const write = (name: string, work: () => void) => {
    unwritten.set(name, work);
    flush();
  };
  const flush = () => {
    for (const [name, work] of unwritten) {
      try {
        work();
        unwritten.delete(name);
      } catch (error) {
        sayOnce({ error: (error as Error).message }, "the endpoints' file can't be written; trying again");
        return;
      }
    }
  };

  const start = (endpoint: Endpoint): Reader => {
    const stopping = new AbortController();
    const reader: Reader = { endpoint, stopping, done: Promise.resolve() };
    const ending = AbortSignal.any([signal, stopping.signal]);
    return Object.assign(reader, { done: read(reader, ending) });
  };

  const read = (reader: Reader, ending: AbortSignal): Promise<void> => {
    const {
      store,
      allowPrivate,
      tracing = passingOn,
      schedule = SCHEDULE_MS,
      answerMs = ANSWER_MS,
    } = delivering;
    const { id } = reader.endpoint;
    const channel = createEndpointChannel({
      endpoint: () => reader.endpoint,
      posting: { allowPrivate, answerMs, signal: ending },
      log,
      tracing,
      schedule,
      disable(disabledReason) {
        if (reader.endpoint.disabledReason !== null) return;
        log.error({ endpoint: id, reason: disabledReason }, "webhook endpoint disabled");
        reader.endpoint = { ...reader.endpoint, disabledReason };
        write(`disable ${id}`, () => endpoints.disable(id, disabledReason));
      },
      failing(failingSince) {
        reader.endpoint = { ...reader.endpoint, failingSince };
        write(`failing ${id}`, () => endpoints.failing(id, failingSince));
      },
    });
    const outbox = endpointOutbox(store, () => reader.endpoint);
    return readOutbox({ store, outbox, channel, log, signal: ending, lookMs: LOOK_MS });
  };

  /** Which endpoints are to be told of changes now. */
  const active = (): Endpoint[] => {
    const all = endpoints.all();
    // Also one that had no reader: it was disabled, or nothing is sent from here.
    const known = new Set(all.map(({ id }) => id));
    if (!known.isSupersetOf(seen)) tidy = true;
    seen = known;
    if (!isAtHome(databaseDir, endpoints)) {
      settled = false;
      sayOnce(
        { databaseDir },
        "webhooks are not sent: this folder is a copy, or was restored. If it is to send, say so: npx lead-view webhooks resume",
      );
      return [];
    }
    if (!settled) write("home", () => settleHere(databaseDir, endpoints));
    settled = true;
    return all.filter(({ disabledReason }) => disabledReason === null);
  };

  /**
   * Forgets where endpoints stood that were removed: here, since a reader that was at work, a switch or a crash may have
   * left, or brought back, what was removed with the endpoint.
   * @returns false where it could not be done now
   */
  const forgetRemoved = (): boolean => {
    const { relays, setAsides, transaction } = delivering.store;
    try {
      const known = new Set(endpoints.all().map(relayOf));
      const gone = new Set([...relays.names(), ...setAsides.counts().map(({ relay }) => relay)]);
      transaction(() => {
        for (const relay of gone) {
          if (!relay.startsWith(RELAY_PREFIX) || known.has(relay)) continue;
          relays.remove(relay);
          setAsides.removeAll(relay);
        }
      });
      return true;
    } catch (error) {
      sayOnce({ error: (error as Error).message }, "removed endpoints are not forgotten yet; trying again");
      return false;
    }
  };

  for (; !signal.aborted; await delay(LOOK_MS, signal)) {
    flush();
    let now: Endpoint[];
    try {
      now = active();
    } catch (error) {
      // Whoever is told goes on being told.
      sayOnce({ error: (error as Error).message }, "the endpoints' file can't be read; trying again");
      continue;
    }
    const ids = new Set(now.map(({ id }) => id));
    for (const [id, { stopping, done }] of readers) {
      if (ids.has(id) || unwritten.size > 0) continue;
      stopping.abort();
      void done.then(() => {
        readers.delete(id);
        tidy = true;
      });
    }
    if (tidy) tidy = !forgetRemoved();
    for (const endpoint of now) {
      const reader = readers.get(endpoint.id);
      if (reader === undefined) readers.set(endpoint.id, start(endpoint));
      else if (unwritten.size === 0) reader.endpoint = endpoint;
    }
  }
  await Promise.all([...readers.values()].map(({ done }) => done));
}

/** The changes of an endpoint's workspace that it was not told of yet. */
function endpointOutbox(
  { views, relays, setAsides, numbers }: Store,
  endpoint: () => Endpoint,
): Outbox<ChangeRow> {
  const { id, workspaceId, after } = endpoint();
  const relay = relayOf({ id });
  // A view database that knows nothing of it was made anew: its numbers are above all that were given before.
  const position = () => Math.max(relays.position(relay), after);
  /** The last number that was given when nothing was found. */
  let emptyAt = -1;
  return {
    relay,
    next(most) {
      const last = numbers.last();
      if (last === emptyAt) return [];
      const rows = views.within(position(), most, AT_ONCE_BYTES, workspaceId);
      if (rows.length === 0) emptyAt = last;
      return rows;
    },
    advance: (rows) => relays.advance(relay, (rows.at(-1) as ChangeRow).number),
    find: views.change,
    nameOf: ({ leadId }) => leadId,
    numberOf: ({ number }) => number,
    bytesOf: ({ body }) => body?.length ?? 0,
    waiting: () => waitingFor({ views, relays, setAsides }, endpoint()),
  };
}

/** How many changes an endpoint was not told of yet. */
export const waitingFor = (
  { views, relays }: Pick<Store, "views" | "relays" | "setAsides">,
  endpoint: Endpoint,
): number =>
  views.waitingOf(endpoint.workspaceId, Math.max(relays.position(relayOf(endpoint)), endpoint.after));
