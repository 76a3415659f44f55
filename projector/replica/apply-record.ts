import { emailKey, phoneKey } from "../../shared/identity-keys.ts";
import type { ChangeRow } from "../../shared/view/change.ts";
import { readViewRecord } from "../publish/view-record.ts";
import { headerText } from "../source/headers.ts";
import { recordPositionName, type SourceRecord } from "../source/source.ts";
import { markUnscrubbed } from "../store/scrub.ts";
import type { Store } from "../store/store.ts";

/** What the replica could not take in is listed under this name (`lead-view relays`). */
export const REPLICA_RELAY = "replica";

/** What became of a record. */
export type Applied = "shown" | "erased" | "never shown" | "known" | "set aside" | "fetched later";

/**
 * Takes a record of the topic of views into the replica's rows, within a transaction. A lead's number never goes back: what
 * is not newer than its row says nothing (rule: one number).
 * @param floor the number up to which everything has come already
 * @param fetchesLarge true where views that are larger than the topic takes are fetched
 */
export function applyRecord(
  store: Store,
  record: SourceRecord,
  floor: number,
  fetchesLarge: boolean,
): Applied {
  let read: ReturnType<typeof readViewRecord>;
  try {
    read = readViewRecord(record);
  } catch (error) {
    setAside(store, record, { reason: (error as Error).message, number: versionOf(record) });
    return "set aside";
  }
  const { leadId, number, workspaceId } = read.change;
  store.unconfirmed.confirm(leadId);
  if (read.kind === "reference") {
    if ((store.views.number(leadId) ?? 0) >= number) return "known";
    const reason = `it is larger than its topic takes, and is to be fetched (PROJECTOR_URL): ${read.dataref}`;
    setAside(store, record, { reason, number, workspaceId, isFetched: fetchesLarge });
    return fetchesLarge ? "fetched later" : "set aside";
  }
  return applyChange(store, read.change, floor);
}

/** Takes in a lead's change, where it is newer than what is known of the lead. */
export function applyChange(store: Store, change: ChangeRow, floor: number): Applied {
  const { leadId, number, workspaceId, body } = change;
  if ((store.views.number(leadId) ?? 0) >= number) return "known";
  // A tombstone has no status. One of a lead that was not shown here erases nothing: a topic read from its beginning is full
  // of them, and the file is not rewritten for each.
  const wasShown = (store.views.head(leadId)?.status ?? null) !== null;
  store.views.put(leadId, { ...change, sectionHashes: "" });
  if (body === null) {
    store.identities.remove(leadId);
    // What SQLite's balancing left of it in unused parts of pages is overwritten by rewriting the file.
    if (wasShown) markUnscrubbed(store);
  } else {
    store.identities.put(leadId, workspaceId, foundBy(change, body));
  }
  store.numbers.raise(number);
  store.arrivals.add(leadId, number, floor);
  store.setAsides.passed(REPLICA_RELAY, leadId, number);
  if (body !== null) return "shown";
  return wasShown ? "erased" : "never shown";
}

/** What a lead is found by; a replica matches nobody, so that the rest stays empty. */
function foundBy({ sectionEnds }: ChangeRow, body: Buffer) {
  const [end] = JSON.parse(sectionEnds) as number[];
  const { lead } = JSON.parse(`${body.toString("utf8", 0, end)}}`) as { lead: Record<string, unknown> };
  const { externalLeadId, email, phoneNumber } = lead;
  const isFindable = typeof externalLeadId === "string" && externalLeadId.isWellFormed();
  return {
    externalLeadId: isFindable ? externalLeadId : null,
    emailKey: emailKey(email),
    phoneKey: phoneKey(phoneNumber),
    createdAt: null,
    matchable: 0,
    matches: 0,
    card: "",
  };
}

/** The change that a record speaks of; 0 where it does not say. */
function versionOf({ headers }: SourceRecord): number {
  const number = Number(headerText(headers, "version"));
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

interface Aside {
  readonly reason: string;
  readonly number: number;
  /** Whose readers are told that there is more than they get; absent = not known. */
  readonly workspaceId?: string;
  /** True where it is tried again by itself. */
  readonly isFetched?: boolean;
}

/** Nothing of the topic is passed over in silence: what can't be taken in is kept on a list with its reason. */
function setAside(
  store: Store,
  record: SourceRecord,
  { reason, number, workspaceId = "", isFetched = false }: Aside,
): void {
  const key = record.key?.toString("utf8") ?? "";
  const name = key === "" || key.length > 200 ? recordPositionName(record) : key;
  // It may be told again.
  if ((store.setAsides.get(REPLICA_RELAY, name)?.number ?? -1) >= number && isFetched) return;
  store.setAsides.put(REPLICA_RELAY, {
    name,
    lane: workspaceId,
    number,
    reason: `${recordPositionName(record)}: ${reason}`,
    attempts: 1,
    since: record.timestamp,
    nextTryAt: isFetched ? 0 : null,
  });
}

/** Leads that are removed in one commit. */
const SWEPT_AT_ONCE = 500;

/**
 * Removes leads that the topic knows no more, where it was read anew up to a floor: it was created again, or kept a
 * tombstone for a shorter time than the replica was away.
 * @param floor the number up to which everything was read
 * @returns how many
 */
export function sweepUnconfirmed(store: Store, floor: number): number {
  const gone = store.unconfirmed.upTo(floor, SWEPT_AT_ONCE);
  const none = { status: null, sectionNumbers: "[]", sectionEnds: "[]", urlSlots: null, body: null };
  for (const { leadId, workspaceId, number } of gone) {
    // Its own number has another content; whoever creates the lead again gives it a later one than this.
    applyChange(store, { leadId, workspaceId, number: number + 1, traceparent: null, ...none }, floor);
    store.unconfirmed.confirm(leadId);
  }
  return gone.length;
}
