// What `lead-view doctor` finds: what usually goes wrong, and what to do about it.
import { ask } from "../ask.js";
import { byId, data, element, fillTable, say } from "../elements.js";
import { number } from "../text.js";

const WORDS = { ok: "fine", warn: "worth a look", fail: "fails" };
const COLUMNS = [
  { label: "looked at", cell: ({ check }) => check },
  { label: "state", cell: ({ state }) => element("span", WORDS[state], state === "fail" ? "bad" : "") },
  { label: "found", kind: "wide", cell: ({ says }) => says },
  {
    label: "what to do",
    kind: "wide",
    cell: ({ todo }) => (todo === null ? element("span", "") : data(todo)),
  },
];
/** What is to be read first. */
const ORDER = ["fail", "warn", "ok"];

function show(findings) {
  const count = (wanted) => number(findings.filter(({ state }) => state === wanted).length);
  const sorted = [...findings].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  fillTable("findings", COLUMNS, sorted, "Nothing was looked at.");
  say("findings-state", `${count("fail")} failing, ${count("warn")} worth a look, ${count("ok")} fine`);
}

export const showFindings = async () => show(await ask("findings"));

byId("findings-anew").addEventListener("click", async () => {
  say("findings-state", "Looking…");
  try {
    show(await ask("findings?anew"));
  } catch (error) {
    say("findings-state", error.message, true);
  }
});
