import type { ChangeHead } from "./change.ts";

// On a replica changes do not come in the order of their numbers: those of different partitions of the topic of views wait
// for nothing of each other. There a place in the changes is the "seq" of an arrival, and an arrival says up to which number
// everything had come before it: behind that one a subscriber goes on anywhere (rule: what a replica tells).

/** The name of that number among the relays' positions of a replica's database; each shard's own is `floor:K/N`. */
export const FLOOR = "floor";

/** Whether the database is a replica's. */
export const SELECT_IS_REPLICA = "SELECT 1 FROM meta WHERE name = 'replica'";

/** A change in the order in which a database tells of changes. */
export interface SequencedHead extends ChangeHead {
  /** Its place in that order. */
  readonly mark: number;
  /** The number behind which one that was told of it may go on, here or on another node. */
  readonly resume: number;
}

/** How far the changes have come. */
export interface Reach {
  readonly mark: number;
  readonly resume: number;
}

/** A replica's reach. */
export const SELECT_ARRIVAL_REACH = `SELECT coalesce((SELECT max(seq) FROM arrival), 0) AS mark,
  coalesce((SELECT number FROM relay WHERE name = '${FLOOR}'), 0) AS resume`;

/** The oldest arrival that is remembered. */
export const SELECT_FIRST_ARRIVAL = "SELECT coalesce(min(seq), 0) FROM arrival";

const HEADS = `SELECT v.number, v.lead_id AS leadId, v.workspace_id AS workspaceId, v.status,
    v.section_numbers AS sectionNumbers, v.traceparent, a.seq AS mark, a.floor AS resume
  FROM arrival a CROSS JOIN lead_view v ON v.lead_id = a.lead_id AND v.number = a.number`;

/** Arrivals whose change is still its lead's latest: `?` behind which one, `?` at most so many. */
export const SELECT_ARRIVALS = `${HEADS} WHERE a.seq > ? ORDER BY a.seq LIMIT ?`;
/** The same of a workspace: `?` the workspace first. */
export const SELECT_WORKSPACE_ARRIVALS = `${HEADS} WHERE +v.workspace_id = ? AND a.seq > ? ORDER BY a.seq LIMIT ?`;
/** A lead's: `?` the lead, `?` behind which one. */
export const SELECT_LEAD_ARRIVAL = `${HEADS} WHERE a.lead_id = ? AND a.seq > ? ORDER BY a.seq DESC LIMIT 1`;

/** The leads that something arrived for: `?` behind which one, `?` at most so many. */
export const SELECT_ARRIVED =
  "SELECT seq AS mark, lead_id AS leadId FROM arrival WHERE seq > ? ORDER BY seq LIMIT ?";
