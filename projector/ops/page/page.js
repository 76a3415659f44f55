// The operator's page: asks the projector how it is doing, and shows it. Everything that comes from records goes into
// the page as text, never as markup.
const POLL_MS = 2_000;
const SLOW_POLL_MS = 10_000;
const KEY = "lead-view-ops-key";

const byId = (id) => document.getElementById(id);
const number = (value) => Math.round(value).toLocaleString("en");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

let key = keyFromAddress() ?? sessionStorage.getItem(KEY) ?? "";
let timers = [];
let charts;

/** A key behind # is not sent to any server; it is taken out of the address once it is read. */
function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) history.replaceState(null, "", location.pathname);
  return given;
}

/** Numbers that JavaScript would write otherwise stay as they came. */
const keepDigits = (_name, value, { source }) =>
  typeof value === "number" && JSON.stringify(value) !== source ? JSON.rawJSON(source) : value;

async function ask(path, method = "GET") {
  const answer = await fetch(`/ops/api/${path}`, { method, headers: { "x-ops-key": key } });
  const body = JSON.parse(await answer.text(), keepDigits);
  if (!answer.ok) throw Object.assign(new Error(body.detail), { status: answer.status });
  return body;
}

function fillTable(id, rows) {
  byId(id).tBodies[0].replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      for (const cell of cells) {
        const td = row.insertCell();
        if (cell instanceof Node) td.append(cell);
        else td.textContent = cell;
        if (typeof cell === "string" && /^[\d,.]+( MB)?$/.test(cell)) td.className = "number";
      }
      return row;
    }),
  );
}

function createChart(id, color) {
  const axis = { grid: { color: "rgba(128,128,128,.2)" }, ticks: { maxTicksLimit: 6 } };
  return new window.Chart(byId(id), {
    type: "line",
    data: {
      labels: [],
      datasets: [{ data: [], borderColor: color, borderWidth: 1.5, pointRadius: 0, fill: false }],
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      plugins: { legend: { display: false } },
      scales: { x: axis, y: { ...axis, beginAtZero: true, suggestedMax: 1 } },
    },
  });
}

function draw(chart, samples, field) {
  chart.data.labels = samples.map(({ at }) => new Date(at).toLocaleTimeString("en-GB"));
  chart.data.datasets[0].data = samples.map((sample) => sample[field]);
  chart.update();
}

function showHealth(text, ok) {
  byId("health").textContent = text;
  byId("health").classList.toggle("bad", !ok);
}

async function showStatus() {
  const status = await ask("status");
  const { partitions, samples, requests, sizes } = status;
  showHealth(status.ready ? "The projector is running." : `Not ready: ${status.reason}.`, status.ready);
  byId("lag").textContent = number(partitions.reduce((sum, { records }) => sum + records, 0));
  byId("lag-seconds").textContent = number(Math.max(0, ...partitions.map(({ seconds }) => seconds)));
  byId("rate").textContent = number(samples.at(-1)?.rate ?? 0);
  byId("letters").textContent = number(status.deadLetters);
  byId("generation").textContent = status.generation;
  byId("database").textContent = megabytes(sizes.database + sizes.wal);
  draw(charts.rate, samples, "rate");
  draw(charts.lag, samples, "lag");
  fillTable(
    "partitions",
    partitions.map(({ topic, partition, nextOffset, end, records, seconds }) => [
      topic,
      number(partition),
      number(nextOffset),
      number(end),
      number(records),
      number(seconds),
    ]),
  );
  fillTable(
    "outboxes",
    status.outboxes.map(({ relay, waiting, setAside, held }) => [
      relay,
      number(waiting),
      number(setAside),
      number(held),
    ]),
  );
  showRebuild(requests.find(({ kind, state }) => kind === "rebuild" && state === "running"));
}

/** @param rebuild the running request; undefined = none */
function showRebuild(rebuild) {
  byId("rebuild").hidden = rebuild === undefined;
  if (rebuild === undefined) return;
  const { phase = "begins", done = 0, total = 0 } = JSON.parse(rebuild.progress ?? "{}");
  const share = total === 0 ? 1 : Math.min(1, done / total);
  byId("rebuild-bar").value = share;
  byId("rebuild-text").textContent =
    `${phase}: ${number(done)} of ${number(total)} (${(share * 100).toFixed(1)} %)`;
}

async function showSlow() {
  const [generations, letters, webhooks] = await Promise.all([
    ask("generations"),
    ask("dead-letters"),
    ask("webhooks"),
  ]);
  fillTable("webhooks", webhooks.map(endpointRow));
  fillTable(
    "generations",
    generations.map(({ number: no, serving, views, bytes }) => [
      number(no),
      serving ? "serves" : "",
      views === null ? "of another schema" : number(views),
      megabytes(bytes),
    ]),
  );
  fillTable(
    "dead-letters",
    letters.map(({ id, failedAt, code, reason }) => {
      const retry = document.createElement("button");
      retry.textContent = "Retry";
      retry.setAttribute("aria-label", `Retry dead letter ${id}`);
      retry.addEventListener("click", () => retryLetter(id, retry));
      return [id, failedAt, code, reason, retry];
    }),
  );
}

function endpointRow({ id, workspaceId, url, state, disabledReason, waiting, setAside, held }) {
  const actions = document.createElement("span");
  for (const [action, label] of [
    ["test", "Test"],
    state === "disabled" ? ["enable", "Enable"] : ["disable", "Disable"],
    ...(held > 0 ? [["redeliver", "Redeliver"]] : []),
  ]) {
    const button = document.createElement("button");
    button.textContent = label;
    button.setAttribute("aria-label", `${label} endpoint ${id}`);
    button.addEventListener("click", () => changeEndpoint(id, action, button));
    actions.append(button);
  }
  const told = disabledReason === null ? state : `${state}: ${disabledReason}`;
  return [id, workspaceId, url, told, number(waiting + setAside), number(held), actions];
}

async function changeEndpoint(id, action, button) {
  button.disabled = true;
  byId("webhook-state").textContent = `${action} ${id}…`;
  try {
    const { ok, output, result } = await ask(`webhooks/${encodeURIComponent(id)}/${action}`, "POST");
    const said = result?.status === undefined ? "done" : `the receiver answered ${result.status}`;
    byId("webhook-state").textContent = `${action} ${id}: ${ok ? said : output}`;
    await showSlow();
  } catch (error) {
    byId("webhook-state").textContent = error.message;
  }
  button.disabled = false;
}

async function retryLetter(id, button) {
  button.disabled = true;
  byId("retry-state").textContent = `Folding the lead of dead letter ${id} again…`;
  try {
    const { output } = await ask(`dead-letters/${encodeURIComponent(id)}/retry`, "POST");
    byId("retry-state").textContent = `Dead letter ${id}: ${output}`;
    await showSlow();
  } catch (error) {
    byId("retry-state").textContent = error.message;
  }
  button.disabled = false;
}

async function lookUp(leadId) {
  const path = `leads/${encodeURIComponent(leadId)}`;
  byId("lookup-state").textContent = "Reading the history…";
  byId("found").hidden = true;
  const [view, events] = await Promise.allSettled([ask(path), ask(`${path}/events`)]);
  if (events.status === "rejected") {
    byId("lookup-state").textContent = events.reason.message;
    return;
  }
  byId("lookup-state").textContent = `${events.value.length} records`;
  byId("view-title").textContent =
    view.status === "fulfilled" ? `View, version ${view.value.version}` : "No view";
  byId("view").textContent =
    view.status === "fulfilled" ? JSON.stringify(view.value.view, null, 2) : view.reason.message;
  byId("events").replaceChildren(...events.value.map(eventItem));
  byId("found").hidden = false;
}

function eventItem({ topic, partition, offset, time, outcome, deadLetter, value }) {
  const item = document.createElement("li");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const what = value === null ? "tombstone" : (value.event ?? "a webhook body");
  summary.textContent = `${time} ${what} ${topic}/${partition}/${offset}`;
  if (outcome !== "folded") {
    const mark = document.createElement("span");
    mark.className = deadLetter === null ? "" : "bad";
    mark.textContent = deadLetter === null ? `  ${outcome}` : `  dead letter: ${deadLetter}`;
    summary.append(mark);
  }
  const json = document.createElement("pre");
  json.textContent = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  details.append(summary, json);
  item.append(details);
  return item;
}

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
  if (key === "") {
    logIn("");
    return;
  }
  try {
    charts ??= { rate: createChart("rate-chart", "#0a66c2"), lag: createChart("lag-chart", "#d9730d") };
    await Promise.all([showStatus(), showSlow()]);
  } catch (error) {
    logIn(error.message);
    return;
  }
  sessionStorage.setItem(KEY, key);
  byId("login").hidden = true;
  byId("main").hidden = false;
  poll(showStatus, POLL_MS);
  poll(showSlow, SLOW_POLL_MS);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value;
  void open();
});
byId("lookup").addEventListener("submit", (event) => {
  event.preventDefault();
  void lookUp(byId("lead").value.trim());
});
await open();
