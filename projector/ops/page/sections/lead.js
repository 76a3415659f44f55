// A lead: its view, beside the records that made it.
import { ask } from "../ask.js";
import { askAndAct } from "../dialogs.js";
import { byId, element, say } from "../elements.js";
import { pretty, time, visible, visibleLines } from "../text.js";

export async function lookUp(leadId) {
  byId("lead").value = leadId;
  byId("a-lead").scrollIntoView();
  const path = `leads/${encodeURIComponent(leadId)}`;
  say("lookup-state", "Reading the history…");
  byId("found").hidden = true;
  const [view, events] = await Promise.allSettled([ask(path), ask(`${path}/events`)]);
  if (events.status === "rejected") {
    say("lookup-state", events.reason.message, true);
    return;
  }
  say("lookup-state", `${events.value.length} records`);
  byId("view-title").textContent =
    view.status === "fulfilled" ? `View, version ${view.value.version}` : "No view";
  byId("view").textContent =
    view.status === "fulfilled" ? visibleLines(pretty(view.value.view)) : view.reason.message;
  byId("events").replaceChildren(...events.value.map(eventItem));
  byId("found").hidden = false;
}

function eventItem({ topic, partition, offset, time: at, outcome, deadLetter, value }) {
  const item = document.createElement("li");
  const details = document.createElement("details");
  const what = value === null ? "tombstone" : (value.event ?? "a webhook body");
  const summary = element("summary", visible(`${at && time(at)} ${what} ${topic}/${partition}/${offset}`));
  if (outcome !== "folded")
    summary.append(
      element(
        "span",
        deadLetter === null ? `  ${outcome}` : `  dead letter: ${deadLetter}`,
        deadLetter === null ? "" : "bad",
      ),
    );
  details.append(summary, element("pre", visibleLines(typeof value === "string" ? value : pretty(value))));
  item.append(details);
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
  const told = ({ folded, failed }) => `${folded} records folded; ${failed} can't be folded`;
  const result = await askAndAct(question, "refold", () => ({ lead }), "lookup-state", told);
  if (result !== undefined) await lookUp(lead);
});
