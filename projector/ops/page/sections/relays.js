// What waits to be handed on, and what was set aside on its way: by relay, and by endpoint of webhooks.
import { after, ask } from "../ask.js";
import { askAndAct } from "../dialogs.js";
import { button, buttons, byId, createPages, fillTable, say } from "../elements.js";
import { number, time } from "../text.js";

const NAMES = {
  kafka: "views, to their topic",
  dead_letter_topic: "dead letters, to their topic",
  webhook: "webhooks",
  replica: "views, from their topic",
};
const OUTBOXES = [
  { label: "relay", cell: ({ relay }) => NAMES[relay] },
  { label: "waiting", kind: "number", cell: ({ waiting }) => number(waiting) },
  { label: "set aside", kind: "number", cell: ({ setAside }) => number(setAside) },
  { label: "for a command", kind: "number", cell: ({ held }) => number(held) },
  {
    label: "",
    kind: "actions",
    cell: ({ relay, name }) =>
      name === null
        ? buttons()
        : buttons(
            button("Set aside", `by the relay of ${NAMES[relay]}`, () => openAsides(name, NAMES[relay])),
          ),
  },
];

export function showOutboxes({ outboxes }) {
  fillTable("outboxes", OUTBOXES, outboxes, "Nothing is handed on from here.");
}

/** The relay whose set-aside rows are shown. */
let shown;

const ASIDES = [
  { label: "lead, or record", kind: "wide", cell: ({ name }) => name },
  { label: "reason", kind: "wide", cell: ({ reason }) => reason },
  { label: "tries", kind: "number", cell: ({ attempts }) => number(attempts) },
  { label: "since", kind: "time", cell: ({ since }) => time(since) },
  {
    label: "next try",
    kind: "time",
    cell: ({ nextTryAt }) =>
      nextTryAt === null ? "by a command" : nextTryAt === 0 ? "now" : time(nextTryAt),
  },
  {
    label: "",
    kind: "actions",
    cell: ({ name }) =>
      buttons(
        button("Retry", name, () => retry(name)),
        button("Discard", name, () => discard(name)),
      ),
  },
];

const pages = createPages(
  "asides-pages",
  (behind) => ask(`relays/${encodeURIComponent(shown)}/set-aside${after(behind)}`),
  (items) => fillTable("asides", ASIDES, items, "Nothing is set aside."),
);

/** Shows what a relay has set aside. @param title what it hands on */
export async function openAsides(relay, title) {
  shown = relay;
  byId("asides-section").hidden = false;
  byId("asides-title").textContent = `Set aside: ${title}`;
  say("asides-state", "");
  await pages.begin();
  byId("asides-title").tabIndex = -1;
  byId("asides-title").focus();
  byId("asides-section").scrollIntoView();
}

export const showAsides = async () => {
  if (shown !== undefined) await pages.load();
};

const reloaded = async (result) => {
  if (result !== undefined) await pages.load();
};

async function retry(name) {
  const question = {
    title: `Retry ${name}`,
    text: "What stands there now is handed on at once.",
    yes: "Retry",
  };
  const args = () => ({ relay: shown, name });
  await reloaded(await askAndAct(question, "resend", args, "asides-state", () => "it is tried again"));
}

async function discard(name) {
  const question = {
    title: `Discard ${name}`,
    text: "It is not handed on any more. Subscribers learn of the lead at its next change.",
    yes: "Discard",
  };
  const args = () => ({ relay: shown, name });
  await reloaded(await askAndAct(question, "forget", args, "asides-state", () => "it is forgotten"));
}

byId("asides-retry").addEventListener("click", async () => {
  const question = {
    title: "Retry all that wait for a command",
    text: "What this relay has set aside for good is tried again from the first try on.",
    yes: "Retry all",
  };
  const told = ({ rows }) => `${number(rows)} are tried again`;
  await reloaded(await askAndAct(question, "resend", () => ({ relay: shown }), "asides-state", told));
});
byId("asides-close").addEventListener("click", () => {
  shown = undefined;
  byId("asides-section").hidden = true;
});
