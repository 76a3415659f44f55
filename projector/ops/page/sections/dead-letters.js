// Records that could not be folded: their list, and each with what it holds.
import { after, ask } from "../ask.js";
import { askAndAct } from "../dialogs.js";
import { button, buttons, byId, createPages, data, element, fillTable, say } from "../elements.js";
import { parse, pretty, time, visibleLines } from "../text.js";
import { lookUp } from "./lead.js";

const COLUMNS = [
  { label: "record", kind: "name", cell: ({ id }) => id },
  { label: "failed", kind: "time", cell: ({ failedAt }) => time(failedAt) },
  { label: "code", kind: "name", cell: ({ code }) => code },
  { label: "reason", kind: "wide", cell: ({ reason }) => reason },
  { label: "lead", kind: "wide", cell: ({ leadId }) => leadId ?? "not known" },
  {
    label: "",
    kind: "actions",
    cell: ({ id }) =>
      buttons(
        button("Show", `dead letter ${id}`, () => show(id)),
        button("Retry", `dead letter ${id}`, () => retry(id, "letters-state")),
        button("Discard", `dead letter ${id}`, () => discard(id, "letters-state")),
      ),
  },
];

const pages = createPages(
  "letters-pages",
  (behind) => ask(`dead-letters${after(behind)}`),
  (items) => fillTable("dead-letters", COLUMNS, items, "There are none."),
);

export const showDeadLetters = pages.load;

async function retry(letter, state) {
  const question = {
    title: `Retry dead letter ${letter}`,
    text: "Its lead is folded again from its history, with this record in its place. The log is read for that.",
    yes: "Retry",
  };
  const told = ({ folded, recovered }) => `${folded} records folded; ${recovered} dead letters are gone`;
  return reloaded(await askAndAct(question, "retry", () => ({ letter }), state, told));
}

async function discard(letter, state) {
  const question = {
    title: `Discard dead letter ${letter}`,
    text: "It is gone for good, with what the record says: neither a retry nor a rebuild brings it back.",
    yes: "Discard",
  };
  return reloaded(
    await askAndAct(
      question,
      "discard",
      () => ({ letter }),
      state,
      () => "it is gone",
    ),
  );
}

/** What was done shows in the list. */
async function reloaded(result) {
  if (result !== undefined) await pages.load();
  return result;
}

async function show(id) {
  let letter;
  try {
    letter = await ask(`dead-letters/${id.split("/").map(encodeURIComponent).join("/")}`);
  } catch (error) {
    say("letters-state", error.message, true);
    return;
  }
  const { code, reason, failedAt, leadId, timestamp, key, headers, value } = letter;
  byId("letter-title").textContent = `Dead letter ${id}`;
  const facts = {
    reason: `${code}: ${reason}`,
    lead: leadId ?? "not known",
    produced: timestamp === null ? "not said" : time(timestamp),
    failed: time(failedAt),
    key: key === null ? "none" : (key.text ?? `${key.hex} (hexadecimal)`),
    headers: Object.keys(headers).length === 0 ? "none" : JSON.stringify(headers),
  };
  byId("letter-facts").replaceChildren(
    ...Object.entries(facts).flatMap(([name, said]) => {
      const fact = element("dd", "");
      fact.append(data(said));
      return [element("dt", name), fact];
    }),
  );
  byId("letter-value").textContent = visibleLines(textOf(value));
  say("letter-state", "");
  byId("letter-lead").hidden = leadId === null;
  const dialog = byId("letter-dialog");
  const closing = async (doing) => {
    if ((await doing) !== undefined) dialog.close();
  };
  byId("letter-retry").onclick = () => closing(retry(id, "letter-state"));
  byId("letter-discard").onclick = () => closing(discard(id, "letter-state"));
  byId("letter-lead").onclick = () => {
    dialog.close();
    void lookUp(leadId);
  };
  byId("letter-close").onclick = () => dialog.close();
  dialog.showModal();
}

/** The record as it came: laid out where it is JSON. */
function textOf(value) {
  if (value === null) return "a tombstone: no value";
  if (value.text === undefined) return `not UTF-8; in hexadecimal:\n${value.hex}`;
  try {
    return pretty(parse(value.text));
  } catch {
    return value.text;
  }
}
