// Generations of the views, rebuilds, and what the owner was asked to do.
import { ask } from "../ask.js";
import { askAndAct, confirmed } from "../dialogs.js";
import { button, buttons, byId, fillTable, say } from "../elements.js";
import { number, size, time, visible } from "../text.js";

const GENERATIONS = [
  { label: "number", kind: "number", cell: ({ number: no }) => number(no) },
  { label: "state", cell: ({ serving }) => (serving ? "serves" : "kept") },
  {
    label: "views",
    kind: "number",
    cell: ({ views }) => (views === null ? "of another schema" : number(views)),
  },
  { label: "size", kind: "number", cell: ({ bytes }) => size(bytes) },
  {
    label: "",
    kind: "actions",
    cell: ({ number: no, serving, views }) =>
      serving
        ? buttons()
        : buttons(
            ...(views === null ? [] : [button("Switch", `to generation ${no}`, () => switchTo(no))]),
            button("Remove", `generation ${no}`, () => remove(no)),
          ),
  },
];
const REQUESTS = [
  { label: "number", kind: "number", cell: ({ id }) => String(id) },
  { label: "what", cell: ({ kind, about }) => (about === "" ? kind : `${kind}: ${about}`) },
  { label: "asked by", cell: ({ askedBy }) => askedBy },
  { label: "asked", kind: "time", cell: ({ askedAt }) => time(askedAt) },
  { label: "state", kind: "wide", cell: stateOf },
  {
    label: "",
    kind: "actions",
    cell: ({ id, kind, state, cancel }) =>
      (state === "running" || state === "waiting") && cancel === 0
        ? buttons(button("Stop", `${kind}, request ${id}`, () => stop(id)))
        : buttons(),
  },
];

export async function showGenerations() {
  fillTable("generations", GENERATIONS, await ask("generations"), "There are none yet.");
}

function stateOf({ state, error, cancel }) {
  if (state === "failed") return `failed: ${error}`;
  return cancel === 1 && state !== "done" ? `${state}, is asked to stop` : state;
}

/** What runs longest is shown with its progress; all are in the list. */
export function showRequests({ requests }) {
  const rows = requests.map(({ progress: _progress, ...row }) => row);
  fillTable("requests", REQUESTS, rows, "None yet.");
  const running = requests.findLast(({ state, progress }) => state === "running" && progress !== null);
  byId("running").hidden = running === undefined;
  if (running === undefined) return;
  const { phase = "begins", done = 0, total = 0 } = JSON.parse(running.progress);
  const share = total === 0 ? undefined : Math.min(1, done / total);
  if (share === undefined) byId("running-bar").removeAttribute("value");
  else byId("running-bar").value = share;
  byId("running-title").textContent = visible(`${running.kind} is at work`);
  byId("running-text").textContent =
    share === undefined
      ? phase
      : `${phase}: ${number(done)} of ${number(total)} (${(share * 100).toFixed(1)} %)`;
  byId("running-stop").disabled = running.cancel === 1;
  byId("running-stop").onclick = () => stop(running.id);
}

async function stop(id) {
  const question = {
    title: `Stop request ${id}`,
    text: "What it has made so far is thrown away. What serves stays as it is.",
    yes: "Stop",
  };
  if ((await confirmed(question)) === undefined) return;
  try {
    await ask(`requests/${id}/stop`, {});
    say("requests-state", `Request ${id} is asked to stop.`);
  } catch (error) {
    say("requests-state", error.message, true);
  }
}

async function change(question, kind, args, told) {
  const result = await askAndAct(question, kind, args, "generations-state", told);
  if (result !== undefined) await showGenerations();
}

const switchTo = (generation) =>
  change(
    {
      title: `Switch to generation ${generation}`,
      text: "It is brought up to date, and serves from then on. The one that serves now is kept.",
      yes: "Switch",
    },
    "switch",
    () => ({ generation }),
    () => "it serves",
  );

const remove = (generation) =>
  change(
    { title: `Remove generation ${generation}`, text: "Its file is deleted.", yes: "Remove" },
    "remove",
    () => ({ generation }),
    () => "it is removed",
  );

byId("rebuild").addEventListener("click", () =>
  change(
    {
      title: "Rebuild every view",
      text: "All events are folded anew into a new generation, which then serves. The present one serves meanwhile, and is kept.",
      yes: "Rebuild",
      options: [
        { name: "keep", label: "keep it ready, don't switch to it" },
        { name: "acceptDeadLetters", label: "switch also where records can't be folded that the views hold" },
        { name: "acceptLoss", label: "switch also where the log holds less than the views were folded from" },
      ],
    },
    "rebuild",
    (ticked) => ({
      switch: !ticked.has("keep"),
      acceptLoss: ticked.has("acceptLoss"),
      acceptDeadLetters: ticked.has("acceptDeadLetters"),
    }),
    ({ generation, serves }) => `generation ${generation} ${serves ? "serves" : "is ready"}`,
  ),
);
