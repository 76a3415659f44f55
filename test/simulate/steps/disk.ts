import { readdirSync } from "node:fs";
import { join } from "node:path";
import { copyFolder, drawPowerCut, restoreFolder } from "../disk.ts";
import Database, { addFault } from "../edges/sqlite.ts";
import { inActor } from "../machine.ts";
import { endAll, isLasting, type Run, standStill, type Takes } from "./life.ts";

/** What happens to the files, or to the whole machine. */
export const diskSteps: Takes<"disk" | "lock" | "power cut" | "copy" | "restore"> = {
  disk({ simulation }, { code, files, share, ms }) {
    const { machine } = simulation;
    addFault({ code, files, share, until: machine.now + ms });
    if (code === "SQLITE_READONLY")
      simulation.readonlyUntil = Math.max(simulation.readonlyUntil, machine.now + ms);
  },
  lock(run, { file, ms }) {
    lockFile(run, file, ms);
  },
  async "power cut"(run) {
    const cut = drawPowerCut(run.simulation.folder);
    await endAll(run);
    cut();
    beginAnotherLife(run);
  },
  async copy(run) {
    await run.simulation.machine.drain();
    run.copy = {
      files: copyFolder(run.simulation.folder),
      discarded: new Set(run.discarded),
      unsure: new Set(run.unsure),
    };
  },
  async restore(run) {
    const { simulation, copy } = run;
    if (!copy) return;
    await endAll(run);
    restoreFolder(simulation.folder, copy.files);
    for (const set of ["discarded", "unsure"] as const) {
      run[set].clear();
      for (const position of copy[set]) run[set].add(position);
    }
    for (const subscriber of simulation.readers.subscribers)
      if (!isLasting(simulation, subscriber.key))
        Object.assign(subscriber, { revoked: true, revokedAt: Number.POSITIVE_INFINITY });
    beginAnotherLife(run);
  },
};

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

/** What readers saw last may come again from before; and no clock that was set back gives a number twice. */
function beginAnotherLife(run: Run): void {
  const { machine, readers } = run.simulation;
  run.hasLost = true;
  for (const [name, records] of run.simulation.outside.log) run.mayRepeat.set(name, records.length);
  run.folded.clear();
  run.found.clear();
  readers.beginAgain();
  const ahead = readers.told.highest / 1_000 - machine.wall();
  if (ahead >= 0) standStill(run, ahead + 1);
}
