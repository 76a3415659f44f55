import { existsSync } from "node:fs";
import { ask } from "../../../projector/owner/ask.ts";
import type { Kind, Kinds } from "../../../projector/owner/handlers.ts";
import { generationNumbers } from "../../../projector/rebuild/generations.ts";
import { verify } from "../../../projector/rebuild/verify.ts";
import { inspect, isByOtherRules } from "../inspect.ts";
import { Killed } from "../machine.ts";
import type { AskedKind } from "../plan.ts";
import { WORKSPACES } from "../simulation.ts";
import type { Run, Takes } from "./life.ts";

/** What those ask for who operate it. */
export const requestSteps: Takes<"ask" | "verify" | "endpoint"> = {
  ask(run, { what, which }) {
    ASKING[what](run, which);
  },
  verify(run) {
    run.simulation.command("verify", () => check(run));
  },
  endpoint(run, { workspace }) {
    const { readers } = run.simulation;
    const workspaceId = WORKSPACES[workspace] as string;
    const url = `http://receiver/${workspaceId}/${readers.receivers.size}`;
    readers.receiver(url);
    request(run, "webhooks.add", { workspaceId, url, force: true });
  },
};

const REBUILD = { switch: true, acceptLoss: false, acceptDeadLetters: true };

/** What is asked for is about what is there now. */
const ASKING: Readonly<Record<AskedKind, (run: Run, which: number) => void>> = {
  rebuild: (run) => request(run, "rebuild", REBUILD),
  "rebuild aside"(run) {
    // What nobody removes is not kept without end.
    if (generationNumbers(run.simulation.folder).length < 4)
      request(run, "rebuild", { ...REBUILD, switch: false });
  },
  switch: (run, which) => request(run, "switch", { generation: someGeneration(run, which) }),
  remove: (run, which) => request(run, "remove", { generation: someGeneration(run, which) }),
  refold: (run, which) => request(run, "refold", { lead: run.simulation.log.leadId(which % 5) }),
  "refold all": (run, which) => request(run, "refold", { workspace: WORKSPACES[which % 2] as string }),
  retry(run, which) {
    const letter = someLetter(run, which);
    if (letter !== undefined) request(run, "retry", { letter });
  },
  discard(run, which) {
    const letter = someLetter(run, which);
    if (letter === undefined) return;
    run.unsure.add(letter);
    request(run, "discard", { letter }, () => {
      run.unsure.delete(letter);
      run.discarded.add(letter);
    });
  },
  resend: (run) => request(run, "resend", { relay: "topic:views" }),
  "webhooks.remove": (run, which) => askOfEndpoint(run, "webhooks.remove", which),
  "webhooks.redeliver": (run, which) => askOfEndpoint(run, "webhooks.redeliver", which),
};

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

function askOfEndpoint(run: Run, kind: "webhooks.remove" | "webhooks.redeliver", which: number): void {
  const ids = inspect(run.simulation, (db) => db.endpoints()) ?? [];
  const id = ids[which % Math.max(1, ids.length)]?.id;
  if (id !== undefined && existsSync(run.simulation.folder)) request(run, kind, { id });
}

function someGeneration({ simulation }: Run, which: number): number {
  const numbers = generationNumbers(simulation.folder);
  return numbers[which % Math.max(1, numbers.length)] ?? 1;
}

function someLetter({ simulation }: Run, which: number): string | undefined {
  const letters = inspect(simulation, (db) => db.deadLetters()) ?? [];
  return letters[which % Math.max(1, letters.length)];
}

/** Verifies the serving views as `npm run verify` does. What differs is a fault, unless it can't be told now. */
async function check({ simulation }: Run): Promise<void> {
  const { config, report } = simulation;
  const isOld = isByOtherRules(simulation);
  try {
    const { differing } = await verify(config, undefined, () => undefined, 5);
    if (differing > 0 && !isOld) report(`verify finds ${differing} views that differ from a fresh fold`);
  } catch (error) {
    if (error instanceof Killed) throw error;
    // There is no view yet, a file is busy, or the disk is full: whoever asked is told so.
  }
}
