import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { delay, every } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { openControl } from "../../shared/control.ts";
import { withWorkspacePartitions } from "../source/kafka/workspace-partitions.ts";
import type { Kind, Kinds } from "./handlers.ts";
import { tryToOwn } from "./lock.ts";
import { createRequests, type Progress, type Request } from "./requests.ts";

/** The request failed; the message says why, and what can be done. */
export class AskError extends Error {
  override readonly name = "AskError";
}

interface Asking {
  readonly onProgress?: (progress: Progress) => void;
  /** Aborted, the request is asked to stop. */
  readonly signal?: AbortSignal;
  /** Who asks, for the log; absent = this machine's user. */
  readonly askedBy?: string;
}

const LOOK_MS = 50;

/**
 * Asks the owner of the folder to do something, and waits for it. Where no owner runs, this process is the owner for as
 * long as it takes.
 * @throws AskError where it could not be done
 */
export async function ask<K extends Kind>(
  config: Config,
  kind: K,
  args: Kinds[K]["arguments"],
  { onProgress, signal, askedBy = `${userInfo().username} (process ${process.pid})` }: Asking = {},
): Promise<Kinds[K]["result"]> {
  const { databaseDir } = config;
  if (!existsSync(databaseDir))
    throw new AskError(`${databaseDir}: there is no such folder; set DATABASE_DIR`);
  const control = openControl(databaseDir);
  const requests = createRequests(control);
  try {
    const id = requests.add(kind, args, askedBy);
    const onAbort = () => requests.cancel(id);
    signal?.addEventListener("abort", onAbort, { once: true });
    let shown = "";
    for (;;) {
      const request = requests.get(id) as Request;
      if (request.progress !== null && request.progress !== shown) {
        shown = request.progress;
        onProgress?.(JSON.parse(shown) as Progress);
      }
      if (request.state === "failed") throw new AskError(request.error ?? "it failed");
      if (request.state === "done") {
        const result = JSON.parse(request.result ?? "null") as Kinds[K]["result"];
        requests.forgetResult(id);
        return result;
      }
      await beOwnerMeanwhile(config, request, onProgress);
      await delay(LOOK_MS);
    }
  } finally {
    control.close();
  }
}

/** Carries the request out in this process, where the folder has no owner; one that began and died has failed. */
async function beOwnerMeanwhile(
  config: Config,
  request: Request,
  onProgress: Asking["onProgress"],
): Promise<void> {
  const owned = tryToOwn(config.databaseDir);
  if (!owned) return;
  // Whoever only asks does not wait for all that an owner is made of.
  const [{ createOwner }, { carryOut }, { createDecoder }, { createLog }] = await Promise.all([
    import("./owner.ts"),
    import("./carry-out.ts"),
    import("../decode/decode.ts"),
    import("../../shared/log.ts"),
  ]);
  const log = createLog("projector", "warn");
  const decode = createDecoder(await withWorkspacePartitions(config, log));
  const owner = createOwner({ config, log, decode }, undefined);
  try {
    owner.requests.abandonRunning();
    const shown = every(500, () => {
      const { progress = null } = owner.requests.get(request.id) ?? {};
      if (progress !== null) onProgress?.(JSON.parse(progress) as Progress);
    });
    await carryOut(request, owner, new AbortController().signal).finally(() => shown.stop());
  } finally {
    await owner.close();
    owned.release();
  }
}
