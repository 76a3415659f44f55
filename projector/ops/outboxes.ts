import type { Config } from "../../shared/config.ts";
import { DEAD_LETTERS_RELAY } from "../publish/dead-letter-topic.ts";
import { VIEWS_RELAY } from "../publish/view-topic.ts";
import { waitingFor } from "../publish/webhooks/deliver.ts";
import { type Endpoint, type Endpoints, relayOf } from "../publish/webhooks/endpoints.ts";
import { REPLICA_RELAY } from "../replica/apply-record.ts";
import type { Store } from "../store/store.ts";

/** How much of something waits to be handed on. */
export interface Outbox {
  readonly relay: "kafka" | "dead_letter_topic" | "webhook" | "replica";
  /** The name under which it sets aside; null where each endpoint has one of its own. */
  readonly name: string | null;
  /** Behind the cursor. */
  readonly waiting: number;
  /** Passed by while others went on, and tried again by itself. */
  readonly setAside: number;
  /** Tried again by a command only: refused, undelivered, or gone out as a reference. */
  readonly held: number;
  /** Milliseconds since 1970 of the change that waits longest, or of its first try; null where none waits. */
  readonly oldest: number | null;
}

/**
 * How much waits at each relay. What an endpoint that is disabled is not told of waits for nobody.
 * @param publishes true where changes go to topics
 */
export function outboxesOf(
  { store, endpoints }: { readonly store: Store; readonly endpoints: Pick<Endpoints, "all"> },
  role: Config["role"],
  publishes: boolean,
): Outbox[] {
  const counts = store.setAsides.counts();
  const outbox = (
    relay: Outbox["relay"],
    name: string | null,
    first: Pick<Outbox, "waiting" | "oldest">,
    isIts = (one: string) => one === name,
  ): Outbox => {
    const its = counts.filter((one) => isIts(one.relay));
    return {
      relay,
      name,
      waiting: first.waiting,
      setAside: sum(its.map(({ waiting }) => waiting)),
      held: sum(its.map(({ held }) => held)),
      oldest: earliest([first.oldest, ...its.map(({ oldest }) => oldest)]),
    };
  };
  if (role === "replica") return [outbox("replica", REPLICA_RELAY, { waiting: 0, oldest: null })];
  const active = readableEndpoints(endpoints).filter(({ disabledReason }) => disabledReason === null);
  const relays = new Set(active.map(relayOf));
  const webhooks = {
    waiting: sum(active.map((endpoint) => waitingFor(store, endpoint))),
    oldest: earliest(active.map((endpoint) => oldestFor(store, endpoint))),
  };
  const topics = () => [
    outbox("kafka", VIEWS_RELAY, viewsWaiting(store)),
    outbox("dead_letter_topic", DEAD_LETTERS_RELAY, lettersWaiting(store)),
  ];
  return [...(publishes ? topics() : []), outbox("webhook", null, webhooks, (relay) => relays.has(relay))];
}

function viewsWaiting({ views, relays }: Store): Pick<Outbox, "waiting" | "oldest"> {
  const position = relays.position(VIEWS_RELAY);
  return { waiting: views.waiting(position), oldest: changedAt(views.after(position, 1)[0]) };
}

function lettersWaiting({ deadLetters }: Store): Pick<Outbox, "waiting" | "oldest"> {
  const first = deadLetters.unpublished(1, 0)[0];
  return { waiting: deadLetters.waiting(), oldest: first ? Date.parse(first.failedAt) : null };
}

const oldestFor = ({ views, relays }: Store, endpoint: Endpoint): number | null =>
  changedAt(
    views.ofWorkspace(
      endpoint.workspaceId,
      Math.max(relays.position(relayOf(endpoint)), endpoint.after),
      1,
    )[0],
  );

/** A change's number is the wall clock in microseconds (rule: one number). */
const changedAt = (change: { readonly number: number } | undefined): number | null =>
  change === undefined ? null : change.number / 1_000;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** The endpoints; none where their file can't be read just now. */
export function readableEndpoints(endpoints: Pick<Endpoints, "all">): Endpoint[] {
  try {
    return endpoints.all();
  } catch {
    return [];
  }
}
