// What is asked before something is done, and what is told once.

import { act } from "./ask.js";
import { byId, element, say } from "./elements.js";
import { number, visible } from "./text.js";

/**
 * Asks whether something is to be done.
 * @param options boxes to tick: name, label
 * @returns undefined where it is not, else the names of the boxes that are ticked
 */
export function confirmed({ title, text, yes, options = [] }) {
  byId("ask-title").textContent = visible(title);
  byId("ask-text").textContent = visible(text);
  byId("ask-yes").textContent = yes;
  byId("ask-options").replaceChildren(
    ...options.map(({ name, label }) => {
      const box = element("input", "");
      box.type = "checkbox";
      box.name = name;
      const line = element("label", "");
      line.append(box, ` ${label}`);
      return line;
    }),
  );
  const dialog = byId("ask-dialog");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const ticked = [...dialog.querySelectorAll("input:checked")].map(({ name }) => name);
        resolve(dialog.returnValue === "yes" ? new Set(ticked) : undefined);
      },
      { once: true },
    );
  });
}

/** Shows a value that is not shown again. */
export function tellOnce(title, text, label, value) {
  byId("tell-title").textContent = title;
  byId("tell-text").textContent = text;
  byId("tell-label").textContent = label;
  byId("tell-value").value = value;
  const dialog = byId("tell-dialog");
  dialog.addEventListener("close", () => (byId("tell-value").value = ""), { once: true });
  dialog.showModal();
  byId("tell-value").select();
}

/** How far a request is, in words. */
export function progressText({ state, progress }) {
  if (state === "waiting") return "waits for its turn";
  const { phase = "begins", done = 0, total = 0 } = progress ?? {};
  return total === 0 ? phase : `${phase}: ${number(done)} of ${number(total)}`;
}

/**
 * Asks, has the owner do it, and says how it went.
 * @param kind of the request
 * @param argumentsOf its arguments, by the boxes that were ticked
 * @param state the id of the element in which it is said
 * @param told what is said of its result
 * @returns its result; undefined where it was not done
 */
export async function askAndAct(question, kind, argumentsOf, state, told) {
  const ticked = await confirmed(question);
  if (ticked === undefined) return undefined;
  say(state, `${question.title}…`);
  try {
    const result = await act(kind, argumentsOf(ticked), (request) =>
      say(state, `${question.title}: ${progressText(request)}`),
    );
    say(state, `${question.title}: ${told(result)}`);
    return result;
  } catch (error) {
    say(state, `${question.title}: ${error.message}`, true);
    return undefined;
  }
}
