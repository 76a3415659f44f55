import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { ask } from "../../../projector/owner/ask.ts";
import { generationNumbers } from "../../../projector/rebuild/generations.ts";
import { verify } from "../../../projector/rebuild/verify.ts";
import { createFileLog } from "../../../projector/source/file-log/file-log.ts";
import { openStore, openStoreToRead } from "../../../projector/store/store.ts";
import type { Config } from "../../../shared/config.ts";
import { controlFile, createReadiness, type OwnerStatus, SELECT_OWNER } from "../../../shared/control.ts";
import { generationFile } from "../../../shared/generation.ts";
import { openReader } from "../../../shared/sqlite.ts";
import { createRandom } from "../../generate/random.ts";
import { bytesOf, foldLog } from "../../harness/projector.ts";

const MAIN = fileURLToPath(new URL("../../../projector/main.ts", import.meta.url));
const LEADS = 40;
/** Milliseconds in which what a round began has to come to its end. */
export const ROUND_DEADLINE_MS = 40_000;
const WARM_MS = 3_000;

export interface Action {
  readonly name: string;
  readonly work: () => Promise<unknown>;
}

/** A folder with a log, an owner and a standby, and all that may happen to them. */
export function createWorld(config: Config, seed: number) {
  const random = createRandom(seed);
  const { databaseDir, eventLogDir } = config;
  const projectors: (ChildProcess | undefined)[] = [undefined, undefined];
  const startedAt = [0, 0];
  const erased = new Set<number>();
  const readiness = createReadiness(databaseDir);
  let events = 0;
  let longestTakeover = 0;
  let verifying: Promise<unknown> = Promise.resolve();

  const append = (lead: number, value: object | null) => {
    const line = JSON.stringify({ key: `lead-${lead}`, value, timestamp: Date.now() });
    appendFileSync(join(eventLogDir, "omni.lead", `${lead % 2}.ndjson`), `${line}\n`);
    events++;
  };
  const say = (lead: number, event: string, data: object) =>
    append(lead, {
      id: `e-${events}`,
      event,
      occurredAt: "2026-03-01T00:00:00Z",
      workspaceId: "ws-1",
      leadId: `lead-${lead}`,
      data,
    });
  const speak = () => {
    const lead = random.integer(0, LEADS - 1);
    const canary = `canary-${lead}-`;
    // Some share an address, so that one's erase changes another's view.
    const email = `${lead % 5}@example.com`;
    if (random.integer(0, 3) === 0) say(lead, "lead.created", { firstName: `${canary}${events}`, email });
    else
      say(lead, "lead.updated", {
        firstName: `${canary}${events}`,
        lastName: "x".repeat(random.integer(0, 9_000)),
      });
  };
  const erase = () => {
    const lead = random.integer(0, LEADS - 1);
    erased.add(lead);
    append(lead, null);
  };

  const start = (index: number) => {
    startedAt[index] = Date.now();
    projectors[index] = spawn(process.execPath, ["--no-warnings", MAIN], {
      env: process.env,
      stdio: ["ignore", "inherit", "inherit"],
    });
  };
  const kill = async (index: number) => {
    const child = projectors[index];
    projectors[index] = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const killedAt = Date.now();
    const before = ownerOf(databaseDir);
    child.kill("SIGKILL");
    await once(child, "exit");
    // One that was itself started a moment ago is no warm standby yet.
    const isWarm = projectors[1 - index] && killedAt - (startedAt[1 - index] ?? 0) > WARM_MS;
    if (before?.pid !== child.pid || !isWarm) return;
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; await delay(5)) {
      const now = ownerOf(databaseDir);
      if (!now || now.pid === child.pid) continue;
      longestTakeover = Math.max(longestTakeover, now.startedAt - killedAt);
      return;
    }
  };

  const anyKept = () => {
    const numbers = generationNumbers(databaseDir);
    return numbers[random.integer(0, numbers.length - 1)] ?? 1;
  };
  const lockKept = async () => {
    const file = generationFile(databaseDir, anyKept());
    if (!existsSync(file)) return;
    const db = new Database(file, { fileMustExist: true });
    try {
      db.exec("BEGIN IMMEDIATE");
      await delay(random.integer(50, 1_500));
    } catch {
      // Somebody writes just now, or it was removed.
    } finally {
      db.close();
    }
  };
  const actions: readonly (() => Action)[] = [
    () => ({ name: "erase", work: async () => erase() }),
    () => ({
      name: "erases",
      work: async () => {
        for (let left = 5; left > 0; left--) {
          erase();
          await delay(random.integer(0, 40));
        }
      },
    }),
    () => ({ name: "rebuild", work: () => ask(config, "rebuild", REBUILD) }),
    () => ({ name: "rebuild aside", work: () => ask(config, "rebuild", { ...REBUILD, switch: false }) }),
    () => ({ name: "switch", work: () => ask(config, "switch", { generation: anyKept() }) }),
    () => ({ name: "switch", work: () => ask(config, "switch", { generation: anyKept() }) }),
    () => ({ name: "remove", work: () => ask(config, "remove", { generation: anyKept() }) }),
    () => ({ name: "refold", work: () => ask(config, "refold", { workspace: "ws-1" }) }),
    () => ({
      name: "verify",
      // Two of one process would fold into the same file.
      work() {
        verifying = verifying
          .catch(() => undefined)
          .then(() => verify(config, undefined, () => undefined, 1));
        return verifying;
      },
    }),
    () => ({ name: "lock a kept one", work: lockKept }),
    () => ({
      name: "kill",
      work: async () => {
        await delay(random.integer(0, 600));
        const index = random.integer(0, 1);
        await kill(index);
        start(index);
      },
    }),
  ];

  const isSettled = (): boolean => {
    if (readiness.reason() !== undefined) return false;
    const store = openStoreToRead(config);
    try {
      const folded = store.positions.all().reduce((sum, { nextOffset }) => sum + nextOffset, 0);
      return folded === events && store.erased.countDuties() === 0;
    } catch {
      return false;
    } finally {
      store.close();
    }
  };

  return {
    startProjectors() {
      for (let left = 50; left > 0; left--) speak();
      for (const index of projectors.keys()) start(index);
    },
    /** Some events, and one to three things that happen at once. */
    draw(): Action[] {
      for (let left = random.integer(1, 60); left > 0; left--) speak();
      const drawn = Array.from({ length: random.integer(1, 3) }, () =>
        (actions[random.integer(0, actions.length - 1)] as () => Action)(),
      );
      const later = random.integer(0, 300);
      return [...drawn, { name: "events", work: () => delay(later).then(speak) }];
    },
    reason: () => readiness.reason() ?? "ready",
    takeoverMs: () => longestTakeover,
    /** @returns false where the views are not up to date within the deadline */
    async settled(): Promise<boolean> {
      for (const deadline = Date.now() + ROUND_DEADLINE_MS; Date.now() < deadline; await delay(20)) {
        if (safely(isSettled)) return true;
      }
      return false;
    },
    async check() {
      const fresh = await freshFold(eventLogDir);
      const store = openStoreToRead(config);
      const served = bytesOf(store);
      const folded = store.positions.all().reduce((sum, { nextOffset }) => sum + nextOffset, 0);
      store.close();
      const ids = new Set([...Object.keys(fresh), ...Object.keys(served)]);
      const differing = [...ids].filter((id) => fresh[id] !== served[id]).length;
      return {
        differing,
        canaries: await canariesLeft(databaseDir, erased),
        missing: Math.abs(events - folded),
      };
    },
    async restart() {
      for (const index of projectors.keys()) {
        await kill(index);
        start(index);
      }
    },
    async stop() {
      for (const index of projectors.keys()) await kill(index);
      readiness.close();
    },
  };
}

const REBUILD = { switch: true, acceptLoss: false, acceptDeadLetters: true };

function safely(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

function ownerOf(databaseDir: string): OwnerStatus | undefined {
  if (!existsSync(controlFile(databaseDir))) return undefined;
  const db = openReader(controlFile(databaseDir));
  try {
    return db.prepare<[], OwnerStatus>(SELECT_OWNER).get();
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}

async function freshFold(log: string): Promise<Record<string, string>> {
  const store = openStore(":memory:");
  try {
    await foldLog(store, createFileLog(log));
    return bytesOf(store);
  } finally {
    store.close();
  }
}

/** Erased leads whose names are in some file of the views; a write-ahead log is cut a moment after the erase. */
async function canariesLeft(databaseDir: string, erased: ReadonlySet<number>): Promise<string[]> {
  for (let tries = 100; ; tries--) {
    const found = [...erased].flatMap((lead) =>
      filesWith(databaseDir, `canary-${lead}-`).map((file) => `lead-${lead} in ${file}`),
    );
    if (found.length === 0 || tries === 0) return found;
    await delay(50);
  }
}

const filesWith = (databaseDir: string, text: string): string[] =>
  readdirSync(databaseDir)
    .filter((name) => name.startsWith("lead_view."))
    .filter((name) => {
      const path = join(databaseDir, name);
      return existsSync(path) && readFileSync(path).includes(text);
    });
