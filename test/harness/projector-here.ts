import { mkdirSync } from "node:fs";
import { startOps } from "../../projector/ops/start-ops.ts";
import { becomeOwner } from "../../projector/owner/lock.ts";
import { runOwner } from "../../projector/owner/run-owner.ts";
import { passingOn } from "../../projector/trace/tracing.ts";
import { readConfig } from "../../shared/config.ts";
import { silent } from "./kafka.ts";

/** A projector in this process, whose clock is the test's. */
export async function startProjectorHere(env: Readonly<Record<string, string>>, port: number) {
  const config = readConfig({ ...env, OPS_PORT: String(port) });
  mkdirSync(config.databaseDir, { recursive: true });
  const stopping = new AbortController();
  const { monitor, stop } = await startOps(config, silent);
  const run = async () => {
    const owned = await becomeOwner(config.databaseDir, stopping.signal, () =>
      monitor.is("standby", "it stands by"),
    );
    try {
      if (owned) await runOwner({ config, log: silent, monitor, tracing: passingOn }, stopping.signal);
    } finally {
      owned?.release();
    }
  };
  const running = run();
  return {
    monitor,
    isOwner: () => !stopping.signal.aborted && monitor.standing() === "owner",
    async stop(): Promise<void> {
      stopping.abort();
      await running;
      await stop();
    },
  };
}
