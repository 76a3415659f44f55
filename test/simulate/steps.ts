import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ask } from "../../projector/owner/ask.ts";
import type { Kind, Kinds } from "../../projector/owner/handlers.ts";
import { generationNumbers } from "../../projector/rebuild/generations.ts";
import { verify } from "../../projector/rebuild/verify.ts";
import { keysFile } from "../../shared/config.ts";
import { createKey, hashKey, openKeys, revokeKey } from "../../shared/keys.ts";
import type { HistoryEntry } from "../properties/arbitrary-history.ts";
import { readAfter, readLead } from "./always.ts";
import { copyFolder, drawPowerCut, type FolderCopy, restoreFolder } from "./disk.ts";
import { FOLD_VERSION, upgradeRules } from "./edges/fold-version.ts";
import Database, { addFault } from "./edges/sqlite.ts";
import { inspect } from "./inspect.ts";
import { inActor, Killed } from "./machine.ts";
import type { AskedKind, Step } from "./plan.ts";
import type { Simulation } from "./simulation.ts";
import { WORKSPACES } from "./simulation.ts";
import type { Subscriber } from "./subscribers.ts";

/** What the steps of one run share. */
export interface Run {
  readonly simulation: Simulation;
  readonly entries: readonly HistoryEntry[];
  /** Dead letters that were discarded, for sure; and those of which it is not known, since power failed or a copy came back. */
  readonly discarded: Set<string>;
  readonly unsure: Set<string>;
  copy:
    | {
        readonly files: FolderCopy;
        readonly discarded: ReadonlySet<string>;
        readonly unsure: ReadonlySet<string>;
      }
    | undefined;
  /** Milliseconds by which the wall clock was set back. */
  setBack: number;
  /** When the machine last went on after it stood still, by its clock. */
  awakeSince: number;
  /** What was found to be folded already, by partition. */
  readonly folded: Map<string, number>;
  /** True where all views are folded anew when everything is compared. */
  readonly rebuildsAtEnd: boolean;
  /** True once the power failed, or a copy was restored. */
  hasLost: boolean;
}

/** Does what a step says, and lets pass what it says. */
export async function take(run: Run, step: Step): Promise<void> {
  const { simulation } = run;
  const { machine, outside, log, readers } = simulation;
  const chosen = (which: number): Subscriber | undefined =>
    readers.subscribers[which % readers.subscribers.length];
  switch (step.kind) {
    case "append":
      for (let index = 0; index < step.count; index++) {
        const entry = run.entries[(step.from + index) % run.entries.length] as HistoryEntry;
        log.append(entry, leadOf(entry));
      }
      break;
    case "erase":
      log.erase(log.leadId(step.lead));
      break;
    case "begin":
      if (log.erased.has(log.leadId(step.lead))) log.begin(step.lead);
      break;
    case "junk":
      log.junk(step.what, step.lead, step.other);
      break;
    case "partition":
      log.addPartition();
      break;
    case "pass":
      await machine.advance(step.ms);
      break;
    case "pause":
      standStill(run, step.ms);
      await machine.advance(50);
      break;
    case "clock": {
      // What a database has lost it knows by the clock only: set back behind that, it would give numbers again.
      const least = run.hasLost
        ? readers.told.highest / 1_000 + 1 - machine.wall()
        : Number.NEGATIVE_INFINITY;
      const ms = step.ms < 0 ? Math.min(0, Math.max(step.ms, least)) : step.ms;
      machine.wallBase += ms;
      // What came before looks older at once than it is.
      if (ms > 0) run.awakeSince = machine.now;
      if (ms < 0) run.setBack -= ms;
      break;
    }
    case "kill": {
      const owner = simulation.owner();
      if (!owner) break;
      if (step.by === "now") machine.kill(owner.actor);
      else machine.killPlan = { root: owner.actor, by: step.by, left: step.after };
      break;
    }
    case "kill standby":
      for (const one of simulation.projectors) if (one && !one.owns) machine.kill(one.actor);
      break;
    case "kill command": {
      const [command] = simulation.commands;
      if (!command) break;
      if (step.by === "now") machine.kill(command);
      else machine.killPlan = { root: command, by: step.by, left: step.after };
      break;
    }
    case "kill api":
      if (simulation.api) endApi(run);
      break;
    case "stop":
      simulation.owner()?.stopping.abort();
      break;
    case "start":
      simulation.startProjector(step.index);
      break;
    case "start api":
      await simulation.startApi();
      break;
    case "disk": {
      const { code, files, share, ms } = step;
      addFault({ code, files, share, until: machine.now + ms });
      if (code === "SQLITE_READONLY")
        simulation.readonlyUntil = Math.max(simulation.readonlyUntil, machine.now + ms);
      break;
    }
    case "lock":
      lockFile(run, step.file, step.ms);
      break;
    case "power cut":
      await powerCut(run);
      break;
    case "copy":
      await machine.drain();
      run.copy = {
        files: copyFolder(simulation.folder),
        discarded: new Set(run.discarded),
        unsure: new Set(run.unsure),
      };
      break;
    case "restore":
      await restore(run);
      break;
    case "ask":
      askOwner(run, step.what, step.which);
      break;
    case "verify":
      simulation.command("verify", () => check(run));
      break;
    case "upgrade":
      upgradeRules(FOLD_VERSION + 1);
      break;
    case "subscribe": {
      const workspaceId = WORKSPACES[step.workspace] as string;
      const key = step.ownKey
        ? makeKey(simulation, workspaceId)
        : (simulation.keys.get(workspaceId) as string);
      const leadId = step.lead === undefined ? undefined : log.leadId(step.lead);
      connect(simulation, readers.subscribe(workspaceId, key, leadId));
      break;
    }
    case "leave":
      chosen(step.which)?.connection?.close();
      break;
    case "resume": {
      const subscriber = chosen(step.which);
      if (subscriber && !subscriber.connection) connect(simulation, subscriber);
      break;
    }
    case "stall": {
      const subscriber = chosen(step.which);
      if (!subscriber) break;
      // One that is not there comes, and takes nothing from the first byte on.
      if (!subscriber.connection) connect(simulation, subscriber);
      subscriber.stalled = true;
      subscriber.connection?.stall();
      break;
    }
    case "read on": {
      const subscriber = chosen(step.which);
      if (subscriber) subscriber.stalled = false;
      subscriber?.connection?.resume();
      break;
    }
    case "revoke": {
      const subscriber = chosen(step.which);
      if (subscriber && !subscriber.revoked && !keepsKey(simulation, subscriber.key))
        revoke(simulation, subscriber);
      break;
    }
    case "endpoint":
      addEndpoint(run, WORKSPACES[step.workspace] as string);
      break;
    case "broker":
      outside.broker = step.mood;
      break;
    case "receiver":
      outside.receiver = step.mood;
      break;
    case "wait":
      readAfter(run);
      break;
    case "read":
      await readLead(run, log.leadId(step.lead));
      break;
  }
  await machine.drain();
}

/** Nothing runs for so long; then everybody has the time again that a deadline gave. */
export function standStill(run: Run, ms: number): void {
  const { machine, readers } = run.simulation;
  machine.pause(ms);
  run.awakeSince = machine.now;
  run.simulation.readonlyUntil += ms;
  for (const subscriber of readers.subscribers) subscriber.revokedAt += ms;
}

/** Which of the few leads an entry of a history is about. */
const leadOf = ({ leadId }: HistoryEntry): number =>
  [...leadId].reduce((sum, letter) => sum + (letter.codePointAt(0) as number), 0) % 4;

export function connect(simulation: Simulation, subscriber: Subscriber): void {
  const { api, machine, readers } = simulation;
  if (api?.actor.alive && !subscriber.connection) readers.connect(subscriber, api, () => machine.now);
}

export function endApi({ simulation }: Run): void {
  const { api, machine, readers } = simulation;
  if (!api) return;
  machine.kill(api.actor);
  for (const subscriber of readers.subscribers) subscriber.connection = undefined;
  simulation.api = undefined;
}

const keepsKey = ({ keys }: Simulation, key: string): boolean => [...keys.values()].includes(key);

function makeKey({ config }: Simulation, workspaceId: string): string {
  const db = openKeys(keysFile(config));
  try {
    return createKey(db, workspaceId, "own");
  } finally {
    db.close();
  }
}

function revoke({ config, machine }: Simulation, subscriber: Subscriber): void {
  const db = openKeys(keysFile(config));
  try {
    revokeKey(db, hashKey(subscriber.key).toString("hex"));
    subscriber.revoked = true;
    subscriber.revokedAt = machine.now;
  } catch {
    // A restored copy knows nothing of the key.
    subscriber.revoked = true;
    subscriber.revokedAt = machine.now;
  } finally {
    db.close();
  }
}

/** Somebody else holds a database for a while. */
function lockFile({ simulation }: Run, which: number, ms: number): void {
  const { folder, machine } = simulation;
  const files = readdirSync(folder).filter((name) =>
    /^(lead_view\.\d+|control|webhooks)\.sqlite$/.test(name),
  );
  const name = files.sort()[which % files.length];
  if (name === undefined) return;
  const actor = machine.actor("somebody");
  simulation.commands.add(actor);
  inActor(actor, () => {
    const db = new Database(join(folder, name), { fileMustExist: true });
    try {
      db.exec("BEGIN IMMEDIATE");
    } catch {
      db.close();
      machine.kill(actor);
      return;
    }
    machine.schedule(ms, actor, () => {
      db.close();
      machine.kill(actor);
    });
  });
}

/** Ends every process of the machine at once. */
async function endAll(run: Run): Promise<void> {
  const { machine, projectors, commands } = run.simulation;
  for (const one of projectors) if (one) machine.kill(one.actor);
  for (const command of commands) machine.kill(command);
  endApi(run);
  machine.killPlan = undefined;
  await machine.drain();
}

async function powerCut(run: Run): Promise<void> {
  const { simulation } = run;
  const cut = drawPowerCut(simulation.folder);
  await endAll(run);
  cut();
  for (const position of run.discarded) run.unsure.add(position);
  run.discarded.clear();
  beginAnotherLife(run);
}

async function restore(run: Run): Promise<void> {
  const { simulation, copy } = run;
  if (!copy) return;
  await endAll(run);
  restoreFolder(simulation.folder, copy.files);
  for (const set of ["discarded", "unsure"] as const) {
    run[set].clear();
    for (const position of copy[set]) run[set].add(position);
  }
  for (const subscriber of simulation.readers.subscribers)
    if (!keepsKey(simulation, subscriber.key))
      Object.assign(subscriber, { revoked: true, revokedAt: Number.POSITIVE_INFINITY });
  beginAnotherLife(run);
}

/** What readers saw last may come again from before; and no clock that was set back gives a number twice. */
function beginAnotherLife(run: Run): void {
  const { simulation } = run;
  const { machine, readers } = simulation;
  run.hasLost = true;
  run.folded.clear();
  readers.beginAgain();
  const ahead = readers.told.highest / 1_000 - machine.wall();
  if (ahead >= 0) standStill(run, ahead + 1);
}

/** Verifies the serving views as `npm run verify` does. What differs is a fault, unless it can't be told now. */
async function check({ simulation }: Run): Promise<void> {
  const { config, report } = simulation;
  try {
    const { differing } = await verify(config, undefined, () => undefined, 5);
    if (differing > 0) report(`verify finds ${differing} views that differ from a fresh fold`);
  } catch (error) {
    if (error instanceof Killed) throw error;
    // There is no view yet, a file is busy, or the disk is full: whoever asked is told so.
  }
}

function addEndpoint(run: Run, workspaceId: string): void {
  const { simulation } = run;
  const url = `http://receiver/${workspaceId}/${simulation.readers.receivers.size}`;
  simulation.readers.receiver(url);
  request(run, "webhooks.add", { workspaceId, url, force: true });
}

/** Asks as a command does; what can't be done is an answer too. */
function request<K extends Kind>(
  { simulation }: Run,
  kind: K,
  args: Kinds[K]["arguments"],
  onDone: (result: Kinds[K]["result"]) => void = () => undefined,
): void {
  simulation.command(kind, () =>
    ask(simulation.config, kind, args, { askedBy: "sim" }).then(onDone, (error: Error) => {
      if (error instanceof Killed) throw error;
    }),
  );
}

function askOwner(run: Run, what: AskedKind, which: number): void {
  const { simulation } = run;
  const { log, folder } = simulation;
  const numbers = generationNumbers(folder);
  const generation = numbers[which % Math.max(1, numbers.length)] ?? 1;
  const rebuild = { switch: true, acceptLoss: false, acceptDeadLetters: true };
  switch (what) {
    case "rebuild":
      request(run, "rebuild", rebuild);
      break;
    case "rebuild aside":
      // What nobody removes is not kept without end.
      if (numbers.length < 4) request(run, "rebuild", { ...rebuild, switch: false });
      break;
    case "switch":
      request(run, "switch", { generation });
      break;
    case "remove":
      request(run, "remove", { generation });
      break;
    case "refold":
      request(run, "refold", { lead: log.leadId(which % 5) });
      break;
    case "refold all":
      request(run, "refold", { workspace: WORKSPACES[which % 2] as string });
      break;
    case "retry":
    case "discard": {
      const letters = inspect(simulation, (db) => db.deadLetters()) ?? [];
      const letter = letters[which % Math.max(1, letters.length)];
      if (letter === undefined) break;
      if (what === "retry") request(run, "retry", { letter });
      else {
        run.unsure.add(letter);
        request(run, "discard", { letter }, () => {
          run.unsure.delete(letter);
          run.discarded.add(letter);
        });
      }
      break;
    }
    case "resend":
      request(run, "resend", { relay: "topic:views" });
      break;
    case "webhooks.remove":
    case "webhooks.redeliver": {
      const ids = inspect(simulation, (db) => db.endpoints()) ?? [];
      const id = ids[which % Math.max(1, ids.length)]?.id;
      if (id !== undefined && existsSync(folder)) request(run, what, { id });
      break;
    }
  }
}
