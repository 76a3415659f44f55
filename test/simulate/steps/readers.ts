import { keysFile } from "../../../shared/config.ts";
import { createKey, hashKey, openKeys, revokeKey } from "../../../shared/keys.ts";
import { readAfter, readLead } from "../always.ts";
import { type Simulation, WORKSPACES } from "../simulation.ts";
import type { Subscriber } from "../subscribers.ts";
import { connect, isLasting, type Takes } from "./life.ts";

/** What those do who read. */
export const readerSteps: Takes<
  "subscribe" | "leave" | "come alone" | "resume" | "stall" | "read on" | "revoke" | "wait" | "read"
> = {
  subscribe({ simulation }, { workspace, lead, ownKey }) {
    const { readers, log, keys } = simulation;
    const workspaceId = WORKSPACES[workspace] as string;
    const key = ownKey ? makeKey(simulation, workspaceId) : (keys.get(workspaceId) as string);
    const leadId = lead === undefined ? undefined : log.leadId(lead);
    connect(simulation, readers.subscribe(workspaceId, key, leadId));
  },
  leave({ simulation }, { which }) {
    chosen(simulation, which)?.connection?.close();
  },
  /** It comes again knowing nothing, and while it is told all there is the others leave. */
  async "come alone"({ simulation }, { which }) {
    const { machine, readers } = simulation;
    const one = chosen(simulation, which);
    if (!one) return;
    one.connection?.close();
    await machine.drain();
    one.last = undefined;
    one.reader.forget();
    connect(simulation, one);
    one.connection?.stall();
    await machine.drain();
    for (const other of readers.subscribers) if (other !== one) other.connection?.close();
    await machine.advance(SLOW_MS);
    if (!one.stalled) one.connection?.resume();
  },
  resume({ simulation }, { which }) {
    const subscriber = chosen(simulation, which);
    if (subscriber && !subscriber.connection) connect(simulation, subscriber);
  },
  stall({ simulation }, { which }) {
    const subscriber = chosen(simulation, which);
    if (!subscriber) return;
    // One that is not there comes, and takes nothing from the first byte on.
    if (!subscriber.connection) connect(simulation, subscriber);
    subscriber.stalled = true;
    subscriber.connection?.stall();
  },
  "read on"({ simulation }, { which }) {
    const subscriber = chosen(simulation, which);
    if (!subscriber?.stalled) return;
    subscriber.stalled = false;
    subscriber.readsSince = simulation.machine.now;
    subscriber.connection?.resume();
  },
  revoke({ simulation }, { which }) {
    const subscriber = chosen(simulation, which);
    if (subscriber && !subscriber.revoked && !isLasting(simulation, subscriber.key))
      revoke(simulation, subscriber);
  },
  wait(run) {
    readAfter(run);
  },
  async read(run, { lead }) {
    await readLead(run, run.simulation.log.leadId(lead));
  },
};

/** Milliseconds that one who comes takes nothing: what it is told waits for it. */
const SLOW_MS = 30;

const chosen = ({ readers }: Simulation, which: number): Subscriber | undefined =>
  readers.subscribers[which % readers.subscribers.length];

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
  } catch {
    // A restored copy knows nothing of the key.
  } finally {
    db.close();
  }
  subscriber.revoked = true;
  subscriber.revokedAt = machine.now;
}
