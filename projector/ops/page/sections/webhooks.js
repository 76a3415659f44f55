// Endpoints of webhooks: how each is doing, and what can be done about it.
import { after, ask } from "../ask.js";
import { askAndAct, tellOnce } from "../dialogs.js";
import { button, buttons, byId, createPages, fillTable } from "../elements.js";
import { number, time } from "../text.js";
import { openAsides } from "./relays.js";

const DAY_MS = 86_400_000;
const COLUMNS = [
  { label: "endpoint", kind: "name", cell: ({ id }) => id },
  { label: "workspace", kind: "name", cell: ({ workspaceId }) => workspaceId },
  { label: "address", kind: "wide", cell: ({ url }) => url },
  { label: "state", kind: "wide", cell: stateOf },
  { label: "waiting", kind: "number", cell: ({ waiting, setAside }) => number(waiting + setAside) },
  { label: "undelivered", kind: "number", cell: ({ held }) => number(held) },
  { label: "", kind: "actions", cell: actionsOf },
];

const pages = createPages(
  "webhooks-pages",
  (behind) => ask(`webhooks${after(behind)}`),
  (items) => fillTable("webhooks", COLUMNS, items, "There are none: npx lead-view webhooks add makes one."),
);

export const showWebhooks = pages.load;

export function showPaused({ webhooksPaused }) {
  byId("webhooks-resume").hidden = !webhooksPaused;
}

byId("webhooks-resume").addEventListener("click", () => {
  const question = {
    title: "Send webhooks from this folder",
    text: "This folder is a copy, or was restored. From now on it tells all endpoints of changes: make sure that no other one does.",
    yes: "Send from here",
  };
  const told = ({ endpoints }) => `${number(endpoints)} endpoints are told of changes`;
  return askAndAct(question, "webhooks.resume", () => ({}), "webhooks-state", told);
});

function stateOf({ state, disabledReason, failingSince }) {
  if (disabledReason !== null) return `${state}: ${disabledReason}`;
  return failingSince === null ? state : `${state} since ${time(failingSince)}`;
}

function actionsOf({ id, state, held, setAside }) {
  const about = `endpoint ${id}`;
  return buttons(
    button("Test", about, () =>
      change(
        id,
        "test",
        "A message of the type webhook.test is sent to it.",
        ({ status }) => `it answered ${status}`,
      ),
    ),
    state === "disabled"
      ? button("Enable", about, () =>
          change(id, "enable", "It is told of what changed meanwhile, and of what follows."),
        )
      : button("Disable", about, () =>
          change(id, "disable", "Nothing is sent to it until it is enabled again."),
        ),
    button("New secret", about, () => rotate(id)),
    ...(held + setAside > 0
      ? [button("Undelivered", about, () => openAsides(`webhook:${id}`, `webhooks of ${id}`))]
      : []),
    ...(held > 0
      ? [
          button("Redeliver", about, () =>
            change(
              id,
              "redeliver",
              "All that is undelivered is sent again.",
              ({ changes }) => `${number(changes)} are sent again`,
            ),
          ),
        ]
      : []),
    button("Remove", about, () => change(id, "remove", "It is forgotten, with all that waits for it.")),
  );
}

const TITLES = { "rotate-secret": "Give a new secret to", test: "Test" };

async function change(id, action, text, told = () => "done", args = {}) {
  const name = TITLES[action] ?? action[0].toUpperCase() + action.slice(1);
  const question = { title: `${name} endpoint ${id}`, text, yes: name.split(" ")[0] };
  const result = await askAndAct(
    question,
    `webhooks.${action}`,
    () => ({ id, ...args }),
    "webhooks-state",
    told,
  );
  if (result !== undefined) await pages.load();
  return result;
}

async function rotate(id) {
  const text =
    "Messages are signed with both the old and the new secret for a day. The new one is shown once.";
  const result = await change(id, "rotate-secret", text, () => "it has a new secret", { graceMs: DAY_MS });
  if (result !== undefined)
    tellOnce("The new secret", `Endpoint ${id} is to know it within a day.`, "Secret", result.secret);
}
