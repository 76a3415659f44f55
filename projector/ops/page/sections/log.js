// The log: its partitions, and its events by type.
import { fillTable } from "../elements.js";
import { number, span } from "../text.js";

const PARTITIONS = [
  { label: "topic", cell: ({ topic }) => topic },
  { label: "partition", kind: "number", cell: ({ partition }) => number(partition) },
  { label: "position", kind: "number", cell: ({ nextOffset }) => number(nextOffset) },
  { label: "end", kind: "number", cell: ({ end }) => number(end) },
  { label: "records behind", kind: "number", cell: ({ records }) => number(records) },
  { label: "behind", kind: "number", cell: ({ seconds }) => span(seconds) },
];
const EVENTS = [
  { label: "type", cell: ({ type }) => type },
  { label: "folded", kind: "number", cell: ({ folded }) => number(folded) },
  { label: "repeated", kind: "number", cell: ({ repeated }) => number(repeated) },
  { label: "dropped", kind: "number", cell: ({ dropped }) => number(dropped) },
  { label: "unknown leads", kind: "number", cell: ({ unknown_lead }) => number(unknown_lead) },
  { label: "dead letters", kind: "number", cell: ({ dead_letter }) => number(dead_letter) },
];

export function showLog({ partitions, events }) {
  // Seconds change all the time; in whole ones the table is filled anew only where one is to be seen.
  const rows = partitions.map((one) => ({ ...one, seconds: Math.round(one.seconds) }));
  fillTable("partitions", PARTITIONS, rows, "No partition is read from here.");
  fillTable("event-types", EVENTS, events, "None since this projector started.");
}
