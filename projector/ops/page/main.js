// The operator's page: asks the projector how it is doing, and shows it.
import { ask, hasKey, keepKey, MOVED, useKey } from "./ask.js";
import { byId, scrollable } from "./elements.js";
import { showCharts } from "./sections/charts.js";
import { showDeadLetters } from "./sections/dead-letters.js";
import { showFindings } from "./sections/findings.js";
import { showGenerations, showRequests } from "./sections/generations.js";
import "./sections/lead.js";
import { showLog } from "./sections/log.js";
import { showHealth, showOverview } from "./sections/overview.js";
import { showAsides, showOutboxes } from "./sections/relays.js";
import { showShards } from "./sections/shards.js";
import { showPaused, showWebhooks } from "./sections/webhooks.js";

const POLL_MS = 2_000;
const SLOW_POLL_MS = 10_000;
const FINDINGS_POLL_MS = 60_000;

let timers = [];

async function showStatus() {
  const status = await ask("status");
  showOverview(status);
  showCharts(status.samples);
  showLog(status);
  showOutboxes(status);
  showPaused(status);
  showRequests(status);
}

/** What needs the views can't be had from a standby, and not between two generations. */
const showLists = () =>
  Promise.all([
    showGenerations(),
    showShards(),
    ...[showDeadLetters, showWebhooks, showAsides].map((show) =>
      show().catch((error) => {
        if (error.status !== 503) throw error;
      }),
    ),
  ]);

/** Asks again and again; a projector that does not answer is shown as such, and asked on. */
function poll(show, everyMs) {
  timers.push(
    setInterval(() => {
      show().catch((error) => {
        if (error.status === 401) logIn("");
        else showHealth(error.status ? error.message : "The projector does not answer.", false);
      });
    }, everyMs),
  );
}

function logIn(message) {
  for (const timer of timers) clearInterval(timer);
  timers = [];
  byId("main").hidden = true;
  byId("login").hidden = false;
  byId("login-error").textContent = message;
  showHealth("", true);
}

async function open() {
  if (!hasKey()) {
    logIn("");
    return;
  }
  try {
    // The charts measure the place that they have.
    byId("main").hidden = false;
    await Promise.all([showStatus(), showLists()]);
  } catch (error) {
    logIn(error.message);
    return;
  }
  keepKey();
  byId("login").hidden = true;
  poll(showStatus, POLL_MS);
  poll(showLists, SLOW_POLL_MS);
  poll(showFindings, FINDINGS_POLL_MS);
  // With a broker that is away this takes a while.
  void showFindings().catch(() => undefined);
}

byId("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("key").value, byId("by").value.trim());
  void open();
});
addEventListener(MOVED, () => void showStatus().catch(() => undefined));
scrollable("view", "view-title");
scrollable("letter-value", "letter-value-title");
await open();
