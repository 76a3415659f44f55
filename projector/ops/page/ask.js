// Asks the projector, with the page's key.
import { parse } from "./text.js";

const KEY = "lead-view-ops-key";
const BY = "lead-view-ops-by";
const LOOK_MS = 250;
/** Happens on the window where a request of this page moved on, so that what is shown is asked for again. */
export const MOVED = "request-moved";

let key = keyFromAddress() ?? sessionStorage.getItem(KEY) ?? "";
let by = sessionStorage.getItem(BY) ?? "";

/** A key behind # is not sent to any server; it is taken out of the address once it is read. */
function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) history.replaceState(null, "", location.pathname);
  return given;
}

export const hasKey = () => key !== "";

export function useKey(given, name) {
  key = given;
  by = name;
}

export function keepKey() {
  sessionStorage.setItem(KEY, key);
  sessionStorage.setItem(BY, by);
}

/** @param body undefined = a GET */
export async function ask(path, body) {
  const headers = { "x-ops-key": key, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const how = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(`/ops/api/${path}`, how);
  const said = parse(await answer.text());
  if (!answer.ok) throw Object.assign(new Error(said.detail), { status: answer.status });
  return said;
}

export const after = (name) => (name === undefined ? "" : `?after=${encodeURIComponent(name)}`);

/**
 * Has the owner do something, and waits for what comes of it.
 * @param onWait told while it waits or runs, with the request
 */
export async function act(kind, args, onWait = () => undefined) {
  const { request } = await ask("requests", { kind, arguments: args, ...(by === "" ? {} : { by }) });
  for (let told; ; ) {
    const found = await ask(`requests/${request}`);
    if (found.state !== told) dispatchEvent(new Event(MOVED));
    told = found.state;
    if (found.state === "done") return found.result;
    if (found.state === "failed") throw new Error(found.error);
    onWait(found);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
