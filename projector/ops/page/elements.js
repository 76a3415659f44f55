// The page's elements: tables, lists in pages, buttons. Whoever works by the keyboard keeps their place when a list is
// filled anew.
import { number, visible } from "./text.js";

export const byId = (id) => document.getElementById(id);

/** A text of the data, which stands by itself. */
export function data(text) {
  const element = document.createElement("bdi");
  element.textContent = visible(text);
  return element;
}

export function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== "") made.className = className;
  return made;
}

/**
 * A button of a list.
 * @param about what it would be done to, for those who hear the page
 */
export function button(label, about, onClick) {
  const made = element("button", label);
  made.type = "button";
  made.setAttribute("aria-label", visible(`${label} ${about}`));
  made.addEventListener("click", () => onClick(made));
  return made;
}

export function buttons(...made) {
  const all = element("div", "", "buttons");
  all.append(...made);
  return all;
}

/** Says how something went, where the section says so. */
export function say(id, text, isBad = false) {
  byId(id).textContent = visible(text);
  byId(id).classList.toggle("bad", isBad);
}

/** What scrolls can be scrolled by the keyboard, under a name. */
export function scrollable(id, title) {
  const place = byId(id);
  place.tabIndex = 0;
  place.setAttribute("role", "region");
  place.setAttribute("aria-labelledby", title);
}

const shown = new Map();

/**
 * Fills a table, unless it shows the same already.
 * @param columns each column's label, its class ("number", "wide", "time", "actions"), and what a row's cell holds
 * @param empty what is said where there are no rows
 */
export function fillTable(id, columns, rows, empty) {
  const table = byId(id);
  const content = JSON.stringify([empty, rows]);
  if (shown.get(id) === content) return;
  shown.set(id, content);
  const focused = table.contains(document.activeElement)
    ? document.activeElement.getAttribute("aria-label")
    : null;
  table.replaceChildren(headOf(columns), bodyOf(columns, rows, empty));
  // Shown as cards, or as a table: it is one either way.
  table.setAttribute("role", "table");
  table.setAttribute("aria-labelledby", table.closest("section").getAttribute("aria-labelledby"));
  if (focused !== null) table.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

function headOf(columns) {
  const row = document.createElement("tr");
  row.setAttribute("role", "row");
  for (const { label, kind = "" } of columns) {
    const cell = element(kind === "actions" ? "td" : "th", label, kind);
    cell.setAttribute("role", kind === "actions" ? "cell" : "columnheader");
    if (kind !== "actions") cell.scope = "col";
    row.append(cell);
  }
  const head = document.createElement("thead");
  head.setAttribute("role", "rowgroup");
  head.append(row);
  return head;
}

function bodyOf(columns, rows, empty) {
  const body = document.createElement("tbody");
  body.setAttribute("role", "rowgroup");
  for (const values of rows) {
    const row = body.insertRow();
    row.setAttribute("role", "row");
    for (const { label, kind = "", cell } of columns) {
      const td = row.insertCell();
      const content = cell(values);
      td.className = kind;
      td.dataset.label = label;
      td.setAttribute("role", "cell");
      td.append(content instanceof Node ? content : data(content));
    }
  }
  if (rows.length === 0) {
    const row = body.insertRow();
    row.setAttribute("role", "row");
    const cell = row.insertCell();
    cell.className = "empty";
    cell.colSpan = columns.length;
    cell.setAttribute("role", "cell");
    cell.append(element("span", empty));
  }
  return body;
}

/**
 * The buttons that go through pages; whoever pressed one by the keyboard keeps it.
 * @param moves each button's label, and what it does; undefined where there is no way
 * @param words where one is
 */
export function fillPages(place, moves, words) {
  const focused = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  if (moves.every(([, move]) => move === undefined)) {
    place.replaceChildren();
    return;
  }
  const made = moves.map(([label, move]) => {
    const one = button(label, place.getAttribute("aria-label"), () => void move());
    one.disabled = move === undefined;
    return one;
  });
  place.replaceChildren(...made, element("span", words));
  const same = made.find((one) => one.textContent === focused);
  (same?.disabled ? made.find((one) => !one.disabled) : same)?.focus();
}

/**
 * A list that is shown a page at a time.
 * @param id of the element for its buttons
 * @param read reads the page behind a name; undefined = the first one
 * @param show shows a page's items
 */
export function createPages(id, read, show) {
  /** What each page up to the one that is shown begins behind. */
  let begins = [undefined];
  let counted = [0];
  const place = byId(id);

  const load = async () => {
    const { items, next, total } = await read(begins.at(-1));
    // What was on the last page is gone: the one before is the last one now.
    if (items.length === 0 && begins.length > 1) {
      begins.pop();
      counted.pop();
      return load();
    }
    show(items);
    const from = counted.at(-1);
    const isFirst = begins.length === 1;
    const going = (move) => () => {
      move();
      return load();
    };
    const back = going(() => {
      begins.pop();
      counted.pop();
    });
    const on = going(() => {
      begins.push(next);
      counted.push(from + items.length);
    });
    fillPages(
      place,
      [
        ["First", isFirst ? undefined : begin],
        ["Previous", isFirst ? undefined : back],
        ["Next", next === null ? undefined : on],
      ],
      `${number(from + 1)} to ${number(from + items.length)} of ${number(total)}`,
    );
    return undefined;
  };
  const begin = () => {
    begins = [undefined];
    counted = [0];
    return load();
  };
  /** `begin` shows the first page again. */
  return { load, begin };
}
