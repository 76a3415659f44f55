import type { HistoryEntry } from "../../properties/arbitrary-history.ts";
import type { Takes } from "./life.ts";

/** What others write into the log. */
export const logSteps: Takes<"append" | "erase" | "begin" | "junk" | "partition"> = {
  append({ simulation, entries }, { from, count }) {
    for (let index = 0; index < count; index++) {
      const entry = entries[(from + index) % entries.length] as HistoryEntry;
      simulation.log.append(entry, leadOf(entry));
    }
  },
  erase({ simulation: { log } }, { lead }) {
    log.erase(log.leadId(lead));
  },
  begin({ simulation: { log } }, { lead }) {
    if (log.erased.has(log.leadId(lead))) log.begin(lead);
  },
  junk({ simulation }, { what, lead, other }) {
    simulation.log.junk(what, lead, other);
  },
  partition({ simulation }) {
    simulation.log.addPartition();
  },
};

/** Which of the few leads an entry of a history is about. */
const leadOf = ({ leadId }: HistoryEntry): number =>
  [...leadId].reduce((sum, letter) => sum + (letter.codePointAt(0) as number), 0) % 4;
