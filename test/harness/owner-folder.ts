import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStoreToRead, type Store } from "../../projector/store/store.ts";
import { readConfig } from "../../shared/config.ts";
import { topicOf } from "../../shared/events/catalogue.ts";
import { generationFile, servingGeneration } from "../../shared/generation.ts";
import { LEAD_VIEW } from "./command.ts";
import { startProgram } from "./process.ts";
import { type StoredView, viewsOf } from "./projector.ts";
import { until } from "./wait.ts";

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with an event log and a DATABASE_DIR of a test's own, the programs on it, and its command lines. */
export function openOwnerFolder(more: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "owner-test-"));
  const log = join(folder, "log");
  const databaseDir = join(folder, "views");
  mkdirSync(join(log, "omni.lead"), { recursive: true });
  const env = { EVENT_LOG_DIR: log, DATABASE_DIR: databaseDir, KAFKA_BROKERS: "", ...more };
  const programs: ReturnType<typeof startProgram>[] = [];
  const append = (topic: string, partition: number, lines: string) => {
    mkdirSync(join(log, topic), { recursive: true });
    appendFileSync(join(log, topic, `${partition}.ndjson`), lines);
  };
  let events = 0;
  const line = (leadId: string, event: string, data: object): string => {
    const value = {
      id: `e-${++events}`,
      event,
      occurredAt: "2026-03-01T00:00:00Z",
      workspaceId: "ws-1",
      leadId,
      data,
    };
    return `${JSON.stringify({ key: leadId, timestamp: Date.now(), value })}\n`;
  };
  const read = <T>(look: (store: Store) => T): T => {
    const store = openStoreToRead({ databaseDir });
    try {
      return look(store);
    } finally {
      store.close();
    }
  };
  /** Undefined where there is nothing to read yet. */
  const readOr = <T>(look: (store: Store) => T): T | undefined => {
    try {
      return read(look);
    } catch {
      return undefined;
    }
  };
  const run = (over: Readonly<Record<string, string>>, command: string, ...args: string[]): CommandResult =>
    spawnSync(process.execPath, [LEAD_VIEW, command, ...args], {
      env: { ...process.env, LOG_LEVEL: "error", ...env, ...over },
      encoding: "utf8",
      timeout: 60_000,
    });
  return {
    folder,
    log,
    databaseDir,
    env,
    config: (over: Readonly<Record<string, string>> = {}) =>
      readConfig({ ...process.env, OPS_PORT: "0", LOG_LEVEL: "error", ...env, ...over }),
    file: (generation: number) => generationFile(databaseDir, generation),
    serving: () => servingGeneration(databaseDir),
    /** A line of the log, to be appended. */
    line,
    append,
    say(leadId: string, event: string, data: object = {}, partition = 0): void {
      append(topicOf(event) as string, partition, line(leadId, event, data));
    },
    erase(leadId: string, partition = 0): void {
      append(
        "omni.lead",
        partition,
        `${JSON.stringify({ key: leadId, timestamp: Date.now(), value: null })}\n`,
      );
    },
    start(over: Readonly<Record<string, string>> = {}) {
      const program = startProgram("projector/main.ts", { ...env, ...over });
      programs.push(program);
      return program;
    },
    /** A command line, as an operator runs it. */
    run: (command: string, ...args: string[]): CommandResult => run({}, command, ...args),
    /** The same with other settings. */
    runWith: run,
    async stopAll(): Promise<void> {
      for (const program of programs.splice(0)) await program.stop();
    },
    read,
    views: (): Record<string, StoredView> => read(viewsOf),
    /** A lead's first name as it is served. */
    nameOf: (leadId: string): string | undefined =>
      readOr((store) => {
        const body = store.views.get(leadId)?.body;
        return body ? JSON.parse(body.toString("utf8")).lead.firstName : undefined;
      }),
    /** Waits until a lead is served under a name; undefined = until there is no view of it. */
    async shown(leadId: string, firstName: string | undefined): Promise<void> {
      await until(`${leadId} to be ${firstName}`, () =>
        readOr((store) => {
          const body = store.views.get(leadId)?.body;
          const name = body ? JSON.parse(body.toString("utf8")).lead.firstName : undefined;
          return name === firstName;
        }),
      );
    },
    /** Records that are folded. */
    folded: (): number =>
      readOr((store) => store.positions.all().reduce((sum, { nextOffset }) => sum + nextOffset, 0)) ?? 0,
    /** True where a file of this name is in the folder of the views and has the text in it. */
    holds: (name: string, text: string): boolean =>
      existsSync(join(databaseDir, name)) && readFileSync(join(databaseDir, name)).includes(text),
    async close(): Promise<void> {
      for (const program of programs.splice(0)) await program.stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type OwnerFolder = ReturnType<typeof openOwnerFolder>;
