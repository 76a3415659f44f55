// At a glance: health, figures, warnings, and what this projector is.
import { byId, data, element } from "../elements.js";
import { number, size, span, time, visible } from "../text.js";

export function showHealth(text, ok) {
  byId("health").textContent = visible(text);
  byId("health").classList.toggle("bad", !ok);
}

export function showOverview(status) {
  const { partitions, samples, sizes } = status;
  showHealth(status.ready ? `The ${status.role} is running.` : `Not ready: ${status.reason}.`, status.ready);
  byId("lag").textContent = number(partitions.reduce((sum, { records }) => sum + records, 0));
  byId("lag-seconds").textContent = span(Math.max(0, ...partitions.map(({ seconds }) => seconds)));
  byId("rate").textContent = number(samples.at(-1)?.rate ?? 0);
  byId("letters").textContent = number(status.deadLetters);
  byId("generation").textContent = status.generation;
  byId("database").textContent = size(sizes.database + sizes.wal);
  showWarnings(warningsOf(status));
  showAbout(status);
}

function warningsOf({ otherRules, webhooksPaused, outboxes }) {
  const held = outboxes.reduce((sum, one) => sum + one.held, 0);
  return [
    ...(otherRules === null
      ? []
      : [`The views were made by rules ${otherRules}, not by this program's: rebuild them.`]),
    ...(webhooksPaused
      ? [
          "Webhooks are not sent: this folder is a copy, or was restored. If it is to send, resume them below.",
        ]
      : []),
    ...(held === 0 ? [] : [`${number(held)} could not be handed on, and only a command tries them again.`]),
  ];
}

let said = "";
function showWarnings(warnings) {
  const text = warnings.join("\n");
  if (text === said) return;
  said = text;
  byId("warnings").hidden = warnings.length === 0;
  byId("warnings").replaceChildren(...warnings.map((warning) => element("li", visible(warning))));
}

function showAbout({ version, foldRules, otherRules, role, standing, pid, owner, now, startedAt }) {
  const facts = {
    version,
    "rules of the views": otherRules === null ? foldRules : `${foldRules}; the views are by ${otherRules}`,
    "up for": `${span((now - startedAt) / 1_000)}, since ${time(startedAt)}`,
    role,
    "is the folder's": `${standing}, process ${pid}`,
    ...(standing === "standby" && owner ? { owner: `process ${owner.pid}` } : {}),
  };
  byId("about").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => {
      const shown = element("dd", "");
      shown.append(data(value));
      return [element("dt", name), shown];
    }),
  );
}
