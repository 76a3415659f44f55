import { every, wallClock } from "../../shared/clock.ts";
import { openControl } from "../../shared/control.ts";
import type { Monitor } from "../ops/monitor.ts";
import { CONTROL_WAIT_MS } from "./owner.ts";

const LOOK_MS = 50;
const HEARTBEAT_MS = 1_000;

/**
 * Says every second that the owner lives, and how it is doing.
 * @returns a function that says that it stopped
 */
export function startHeartbeat(
  databaseDir: string,
  monitor: Pick<Monitor, "reason" | "lag" | "owns">,
): () => void {
  const control = openControl(databaseDir, { waitMs: CONTROL_WAIT_MS });
  const put = control.prepare(
    `INSERT INTO owner VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET pid = excluded.pid,
       started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at, reason = excluded.reason, lag = excluded.lag`,
  );
  const putTurn = control.prepare<[number | null]>(
    "INSERT INTO turn VALUES (1, ?) ON CONFLICT DO UPDATE SET owns = excluded.owns",
  );
  const startedAt = wallClock();
  let said: string | null | undefined;
  let saidOwns: boolean | null = null;
  const say = () => {
    try {
      const reason = monitor.reason() ?? null;
      put.run(process.pid, startedAt, wallClock(), reason, monitor.lag());
      said = reason;
      // Between two generations it is what it was.
      saidOwns = monitor.owns() ?? saidOwns;
      putTurn.run(saidOwns === null ? null : Number(saidOwns));
    } catch {
      // A full disk: readers find the heartbeat too old.
    }
  };
  say();
  const heart = every(HEARTBEAT_MS, say);
  // What readiness depends on is said as soon as it changes.
  const change = every(LOOK_MS, () => {
    if ((monitor.reason() ?? null) !== said || (monitor.owns() ?? saidOwns) !== saidOwns) say();
  });
  return () => {
    heart.stop();
    change.stop();
    try {
      put.run(process.pid, startedAt, wallClock(), "the projector stopped; start one", monitor.lag());
      putTurn.run(null);
    } catch {
      // As above.
    }
    control.close();
  };
}
