import { ask } from "../../projector/owner/ask.ts";
import { relayOf } from "../../projector/publish/webhooks/endpoints.ts";
import { partitionName } from "../../projector/source/source.ts";
import { readLead } from "./always.ts";
import { filesWith, sizesOf } from "./disk.ts";
import { endFaults } from "./edges/sqlite.ts";
import { byRulesOfNow } from "./edges/status.ts";
import { inspect, isByOtherRules, openRequests, positionsOf } from "./inspect.ts";
import { Killed } from "./machine.ts";
import { withoutUrls } from "./readers.ts";
import { WORKSPACES } from "./simulation.ts";
import { connect, type Run, standStill } from "./steps/life.ts";
import { canaryStart } from "./what-was-said.ts";

/** Milliseconds in which views are up to date and ready, once no fault is left. */
const CAUGHT_UP_MS = 30_000;
/** Milliseconds that the machine stands still between two looks, so that what is tried again hours later comes. */
const PAUSES_MS = [
  0, 0, 0, 10_000, 60_000, 400_000, 2_000_000, 8_000_000, 20_000_000, 60_000_000, 90_000_000,
];
const MOST_LOOKS = 40;
/** Bytes that a write-ahead log may have where nothing is left to do. */
const LARGEST_LOG = 24 * 1024 ** 2;

/** Ends all faults, lets time pass, and compares everything with what it has to be. */
export async function checkEnd(run: Run): Promise<void> {
  const { simulation } = run;
  const { machine, outside, report, violations } = simulation;
  endFaults();
  machine.killPlan = undefined;
  Object.assign(outside, { broker: "well", receiver: "well" });
  await machine.advance(8_000);
  simulation.startProjector(0);
  simulation.startProjector(1);
  await simulation.startApi();
  const begun = machine.now;
  let caughtUp = false;
  for (; machine.now - begun < CAUGHT_UP_MS && !caughtUp; caughtUp = await isCaughtUp(run))
    await step(run, 500);
  if (!caughtUp) {
    report(`not caught up ${CAUGHT_UP_MS} ms after the last fault ended: ${await whyNot(run)}`);
    return;
  }
  // As the log says that somebody has to.
  if (isByOtherRules(simulation)) await rebuild(run, { acceptDeadLetters: true });
  for (let look = 0; !isHandedOn(run); look++) {
    if (look >= MOST_LOOKS || violations.length > 0) {
      report(`not handed on though time passed: ${left(run)}`);
      return;
    }
    standStill(run, PAUSES_MS[Math.min(look, PAUSES_MS.length - 1)] as number);
    await step(run, 1_000);
    if (look % 4 === 3) await operate(run);
  }
  await step(run, 3_000);
  await compare(run);
  if (violations.length === 0 && run.rebuildsAtEnd) await checkRebuild(run);
}

/** Views that are folded anew are the same, and keep their numbers: no reader is told of anything. */
async function checkRebuild(run: Run): Promise<void> {
  const { simulation } = run;
  const { report } = simulation;
  const before = inspect(simulation, ({ views }) => views());
  await rebuild(run, { acceptDeadLetters: false });
  const after = inspect(simulation, ({ views }) => views());
  for (const row of before ?? []) {
    const now = after?.find(({ leadId }) => leadId === row.leadId);
    if (now?.number !== row.number || now.body !== row.body)
      report(`a rebuild changed ${row.leadId} from ${row.number} to ${now?.number}`);
  }
  await compare(run);
}

/** Folds all views anew, by the rules of now. */
async function rebuild(
  run: Run,
  { acceptDeadLetters }: { readonly acceptDeadLetters: boolean },
): Promise<void> {
  const { simulation } = run;
  const { config, report } = simulation;
  let failure: string | undefined = "it came to no end";
  simulation.command("rebuild", () =>
    ask(config, "rebuild", { switch: true, acceptLoss: false, acceptDeadLetters }, { askedBy: "sim" }).then(
      () => {
        failure = undefined;
      },
      (error: Error) => {
        failure = error.message;
      },
    ),
  );
  await step(run, 5_000);
  if (failure !== undefined) report(`a rebuild in the end failed: ${failure}`);
  if (isByOtherRules(simulation)) report("views that were made anew are not by the rules of now");
}

async function step(run: Run, ms: number): Promise<void> {
  const { simulation } = run;
  for (const index of simulation.projectors.keys()) simulation.startProjector(index);
  for (const subscriber of simulation.readers.subscribers) {
    if (subscriber.stalled) subscriber.connection?.resume();
    subscriber.stalled = false;
    if (!subscriber.revoked) connect(simulation, subscriber);
  }
  await simulation.machine.advance(ms);
}

async function isCaughtUp(run: Run): Promise<boolean> {
  const { simulation } = run;
  const { api, outside } = simulation;
  const folded = positionsOf(simulation)?.reduce((sum, { nextOffset }) => sum + nextOffset, 0);
  if (folded !== outside.records() || !api) return false;
  const { statusCode } = await api.get("/health/ready");
  return statusCode === 200;
}

async function whyNot({ simulation }: Run): Promise<string> {
  const { api, outside } = simulation;
  const folded = positionsOf(simulation);
  const behind = [...outside.log]
    .map(([name, { length }]) => {
      const next = folded?.find((position) => partitionName(position) === name)?.nextOffset ?? 0;
      return `${name} ${next} of ${length}`;
    })
    .join(", ");
  const ready = api && (await api.get("/health/ready"));
  const alive = simulation.projectors.map(
    (one) => `${one?.actor.name} ${one?.actor.alive} owns ${one?.owns}`,
  );
  return `${behind}; ${ready?.body}; ${alive.join(", ")}`;
}

/** What somebody who operates this would do by then. */
async function operate({ simulation }: Run): Promise<void> {
  const { config, machine } = simulation;
  const asking = async () => {
    const quietly = (work: Promise<unknown>) =>
      work.catch((error) => {
        if (error instanceof Killed) throw error;
      });
    await quietly(ask(config, "webhooks.resume", {}, { askedBy: "sim" }));
    for (const { id } of inspect(simulation, ({ endpoints }) => endpoints()) ?? []) {
      await quietly(ask(config, "webhooks.enable", { id }, { askedBy: "sim" }));
      await quietly(ask(config, "webhooks.redeliver", { id }, { askedBy: "sim" }));
    }
    for (const relay of ["topic:views", "topic:dead_letters"])
      await quietly(ask(config, "resend", { relay }, { askedBy: "sim" }));
  };
  simulation.command("operate", asking);
  await machine.advance(2_000);
}

/** What still waits to be done. */
function left(run: Run): string[] {
  const { simulation } = run;
  const { readers } = simulation;
  const found = inspect(simulation, ({ store, endpoints }) => {
    const waiting: string[] = [];
    const note = (name: string, count: number) => {
      if (count > 0) waiting.push(`${count} ${name}`);
    };
    const { views, relays, deadLetters, setAsides, erased, meta } = store;
    note("views for the topic", views.waiting(relays.position("topic:views")));
    note("dead letters for the topic", deadLetters.waiting());
    for (const endpoint of endpoints()) {
      const after = Math.max(relays.position(relayOf(endpoint)), endpoint.after);
      note(`changes for ${endpoint.url}`, views.waitingOf(endpoint.workspaceId, after));
    }
    for (const { relay, waiting: asides, held } of setAsides.counts())
      note(`set aside by ${relay}`, asides + held);
    note("erase duties", erased.countDuties());
    note("files to be rewritten", Number(meta.get("unscrubbed") ?? 0));
    const last = store.numbers.last();
    for (const one of readers.subscribers) {
      if (
        !one.revoked &&
        one.leadId === undefined &&
        (one.last ?? 0) < newestOf(store, one.workspaceId, last)
      )
        waiting.push(`${one.reader.name} at ${one.last}`);
    }
    return waiting;
  });
  const requests = openRequests(simulation);
  return [...(found ?? ["nothing can be read"]), ...(requests > 0 ? [`${requests} requests`] : [])];
}

const newestOf = (
  { db }: { db: import("../../shared/sqlite.ts").Connection },
  workspaceId: string,
  _last: number,
): number =>
  db
    .prepare<[string], number>(
      "SELECT coalesce(max(number), 0) FROM lead_view WHERE workspace_id = ? AND body IS NOT NULL",
    )
    .pluck()
    .get(workspaceId) as number;

const isHandedOn = (run: Run): boolean => left(run).length === 0;

/** Everything is as the oracle has it, everywhere. */
async function compare(run: Run): Promise<void> {
  const { simulation } = run;
  const { log, readers, report, folder, api } = simulation;
  const looked = inspect(simulation, ({ views, deadLetters, endpoints, store }) => ({
    views: views(),
    letters: deadLetters(),
    endpoints: endpoints(),
    relays: store.db
      .prepare<[], string>("SELECT name FROM relay UNION SELECT relay FROM set_aside")
      .pluck()
      .all(),
  }));
  if (!looked || !api) {
    report("the views can't be read in the end");
    return;
  }
  const expected = log.expected(run.discarded);
  const shown = new Map(looked.views.filter(({ body }) => body !== null).map((row) => [row.leadId, row]));
  for (const leadId of new Set([...shown.keys(), ...Object.keys(expected.views)])) {
    const [is, view] = [shown.get(leadId)?.body, expected.views[leadId]];
    const has = view && byRulesOfNow(view);
    if (is !== has) report(`the view of ${leadId} differs: it is\n${is}\nand has to be\n${has}`);
  }
  compareLetters(run, looked.letters, expected.deadLetters);
  for (const [leadId, { number, workspaceId, body }] of shown) {
    const view = body === null ? null : body.replaceAll('"signedUrl":""', '"signedUrl":null');
    const has = (name: string, known: { number: number } | undefined) => {
      if (known?.number !== number)
        report(
          `${name} has ${leadId} at ${known?.number ?? "nothing"}, and it is at ${number} (${view?.length} bytes)`,
        );
    };
    has("the topic of views", readers.topic.leads.get(leadId));
    for (const one of readers.subscribers)
      if (
        !one.revoked &&
        one.workspaceId === workspaceId &&
        (one.leadId ?? leadId) === leadId &&
        one.connection
      )
        has(one.reader.name, one.reader.leads.get(leadId));
    for (const endpoint of looked.endpoints)
      if (endpoint.workspaceId === workspaceId && number > endpoint.after)
        has(endpoint.url, readers.receivers.get(endpoint.url)?.leads.get(leadId));
  }
  for (const leadId of new Set([...shown.keys(), ...log.erased])) await readLead(run, leadId);
  await compareAnswers(run, shown);
  for (const letter of looked.letters)
    if (!readers.deadLetters.has(letter)) report(`the topic of dead letters was never told of ${letter}`);
  for (const leadId of expected.erased) {
    const canary = canaryStart(leadId);
    for (const file of filesWith(folder, canary)) report(`${leadId} is erased, and stands in ${file}`);
    for (const [name, reader] of [["the topic of views", readers.topic] as const])
      for (const [other, { view }] of reader.leads)
        if (view?.includes(canary)) report(`${leadId} is erased, and stands in ${other}'s view in ${name}`);
  }
  const known = new Set(looked.endpoints.map(relayOf));
  for (const relay of looked.relays)
    if (relay.startsWith("webhook:") && !known.has(relay))
      report(`${relay} is removed, and its position is kept`);
  checkSizes(run);
}

function compareLetters({ unsure, simulation }: Run, are: readonly string[], have: readonly string[]): void {
  const { report } = simulation;
  for (const letter of have)
    if (!are.includes(letter) && !unsure.has(letter)) report(`${letter} is no dead letter, and has to be`);
  for (const letter of are)
    if (!have.includes(letter)) report(`${letter} is a dead letter, and has not to be`);
}

/** Each lead is read by its own workspace, and by no other. */
async function compareAnswers(
  { simulation }: Run,
  shown: ReadonlyMap<string, { readonly workspaceId: string; readonly body: string | null }>,
): Promise<void> {
  const { api, keys, log, report } = simulation;
  if (!api) return;
  for (const leadId of new Set([...shown.keys(), ...log.erased])) {
    for (const workspaceId of WORKSPACES) {
      const row = shown.get(leadId);
      const headers = { "x-api-key": keys.get(workspaceId) as string };
      const url = `/api/v1/leads/${encodeURIComponent(leadId)}`;
      const { statusCode, body } = await api.get(url, headers);
      const isOwn = row?.workspaceId === workspaceId;
      if (statusCode !== (isOwn ? 200 : 404))
        report(
          `${leadId}, which is ${row?.workspaceId ?? "nobody"}'s, is answered ${statusCode} to ${workspaceId}`,
        );
      else if (isOwn && withoutUrls(body).length < 10) report(`${leadId} is answered ${body}`);
    }
  }
}

/** Files are bounded by what is live. */
function checkSizes({ simulation }: Run): void {
  const { folder, report } = simulation;
  for (const [name, bytes] of sizesOf(folder)) {
    if (name.endsWith("-wal") && bytes > LARGEST_LOG)
      report(`${name} has ${bytes} bytes, and nothing is left to do`);
    if (/building|verify/.test(name)) report(`${name} is left over`);
  }
}
