// A lead: its view, beside the records that made it and what each of them changed.
import { ask } from "../ask.js";
import { askAndAct } from "../dialogs.js";
import { byId, data, element, fillPages, say } from "../elements.js";
import { milliseconds, number, pretty, time, visible, visibleLines } from "../text.js";

/** Steps on a page, as the projector gives them. */
const STEPS = 20;

const pathOf = (leadId) => `leads/${encodeURIComponent(leadId)}`;

export async function lookUp(leadId) {
  byId("lead").value = leadId;
  byId("a-lead").scrollIntoView();
  say("lookup-state", "Reading the history…");
  byId("found").hidden = true;
  const [view, steps] = await Promise.allSettled([ask(pathOf(leadId)), ask(`${pathOf(leadId)}/steps`)]);
  if (steps.status === "rejected") {
    say("lookup-state", steps.reason.message, true);
    return;
  }
  say("lookup-state", `${number(steps.value.total)} records`);
  byId("view-title").textContent =
    view.status === "fulfilled" ? `View, version ${view.value.version}` : "No view";
  byId("view").textContent =
    view.status === "fulfilled" ? visibleLines(pretty(view.value.view)) : view.reason.message;
  showSteps(leadId, 0, steps.value);
  byId("found").hidden = false;
}

function showSteps(leadId, from, { steps, total }) {
  byId("steps").replaceChildren(...steps.map(stepItem));
  const going = (to) => async () => {
    try {
      showSteps(leadId, to, await ask(`${pathOf(leadId)}/steps?from=${to}`));
    } catch (error) {
      say("lookup-state", error.message, true);
    }
  };
  const last = Math.max(0, Math.ceil(total / STEPS) - 1) * STEPS;
  fillPages(
    byId("steps-pages"),
    [
      ["First", from === 0 ? undefined : going(0)],
      ["Previous", from === 0 ? undefined : going(from - STEPS)],
      ["Next", from >= last ? undefined : going(from + STEPS)],
      ["Last", from >= last ? undefined : going(last)],
    ],
    `${number(from + 1)} to ${number(from + steps.length)} of ${number(total)}`,
  );
}

function stepItem({ topic, partition, offset, time: at, outcome, code, value, changes, more, ...took }) {
  const details = document.createElement("details");
  const what = value === null ? "tombstone" : (value?.event ?? "a record without an event's name");
  const summary = element("summary", "");
  summary.append(data(`${at && time(at)} ${what} `), data(`${topic}/${partition}/${offset}`));
  if (outcome === "dead_letter") summary.append(element("span", ` dead letter: ${code}`, "bad"));
  else if (outcome !== "folded") summary.append(` ${outcome}`);
  const { foldMs, assembleMs } = took;
  const count = changes.length + more;
  const told = `${count === 0 ? "changes nothing" : count === 1 ? "1 change" : `${number(count)} changes`}; folded in ${milliseconds(foldMs)}${assembleMs === 0 ? "" : `, assembled in ${milliseconds(assembleMs)}`}`;
  summary.append(element("div", told, "took"));
  details.append(summary, ...changes.map(changeItem));
  if (more > 0) details.append(element("p", `and ${number(more)} more`, "hint"));
  const record = element("pre", visibleLines(typeof value === "string" ? value : pretty(value)));
  record.tabIndex = 0;
  record.setAttribute("role", "region");
  record.setAttribute("aria-label", visible(`Record ${topic}/${partition}/${offset}`));
  details.append(record);
  const item = document.createElement("li");
  item.append(details);
  return item;
}

function changeItem({ path, kind, before, after }) {
  const item = element("div", "", "change");
  item.append(data(path), ` ${kind}`);
  for (const [tag, value, sign] of [
    ["del", before, "−"],
    ["ins", after, "+"],
  ]) {
    if (value === null) continue;
    const side = element(tag, `${sign} `);
    side.append(data(value));
    item.append(side);
  }
  return item;
}

byId("lookup").addEventListener("submit", (event) => {
  event.preventDefault();
  void lookUp(byId("lead").value.trim());
});
byId("refold").addEventListener("click", async () => {
  const lead = byId("lead").value.trim();
  if (lead === "") return;
  const question = {
    title: `Fold lead ${lead} again`,
    text: "Its view is made anew from its history. The log is read for that.",
    yes: "Fold again",
  };
  const told = ({ folded, failed }) => `${number(folded)} records folded; ${number(failed)} can't be folded`;
  const result = await askAndAct(question, "refold", () => ({ lead }), "lookup-state", told);
  if (result !== undefined) await lookUp(lead);
});
