// All shards: who owns each, how far it is, and when it last changed something.
import { ask } from "../ask.js";
import { byId, fillTable } from "../elements.js";
import { number, time } from "../text.js";

const COLUMNS = [
  { label: "shard", cell: ({ shard }) => shard },
  { label: "at", kind: "wide", cell: ({ host, address }) => [host, address].filter(Boolean).join(", ") },
  { label: "state", kind: "wide", cell: stateOf },
  { label: "records behind", kind: "number", cell: ({ lag }) => (lag === undefined ? "" : number(lag)) },
  {
    label: "dead letters",
    kind: "number",
    cell: ({ deadLetters }) => (deadLetters === undefined ? "" : number(deadLetters)),
  },
  {
    label: "last commit",
    kind: "time",
    cell: ({ lastCommitAt }) => (lastCommitAt == null ? "" : time(lastCommitAt)),
  },
];

function stateOf({ error, owns, reason }) {
  if (error !== null) return error;
  const turn = owns === null ? "is not known yet" : owns ? "owns it" : "stands by";
  return reason === null ? `${turn}, ready` : `${turn}; not ready: ${reason}`;
}

/** One projector alone is told of by the rest of the page. */
export async function showShards() {
  const shards = await ask("shards");
  byId("shards-section").hidden = shards.length < 2;
  if (shards.length > 1) fillTable("shards", COLUMNS, shards, "There are none.");
}
