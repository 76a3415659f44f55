import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openStore, type Store } from "../../../projector/store/store.ts";
import { keysFile } from "../../../shared/config.ts";
import { viewFile } from "../../../shared/generation.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { freePort } from "../../harness/free-port.ts";
import { until } from "../../harness/wait.ts";

/** A folder, and the programs on it. */
export interface BenchNode {
  readonly databaseDir: string;
  readonly address: string;
  readonly store: () => Store;
}

/** Starts programs, held to cores, and ends them all. */
export function createNodes(folder: string, env: Readonly<Record<string, string | undefined>>) {
  const children: ChildProcess[] = [];
  const master = openKeys(keysFile({ databaseDir: folder }));
  const keys = new Map<string, string>();
  const start = (
    name: "projector" | "api",
    settings: Readonly<Record<string, string | undefined>>,
    core: number | undefined,
  ) => {
    const main = new URL(`../../../${name}/main.ts`, import.meta.url).pathname;
    const held = core === undefined ? [] : ["taskset", "-c", String(core)];
    const [program = "", ...args] = [...held, process.execPath, "--no-warnings", main];
    const child = spawn(program, args, { env: settings, stdio: ["ignore", "inherit", "inherit"] });
    children.push(child);
    return child;
  };
  return {
    keyOf(workspaceId: string): string {
      const key = keys.get(workspaceId) ?? createKey(master, workspaceId, "bench");
      keys.set(workspaceId, key);
      return key;
    },
    async node(name: string, more: Readonly<Record<string, string>>, port?: number) {
      const databaseDir = join(folder, name);
      mkdirSync(databaseDir, { recursive: true });
      const own = openKeys(keysFile({ databaseDir }));
      const rows = master.prepare<[], Record<string, unknown>>("SELECT * FROM api_key").all();
      for (const row of rows) {
        const names = Object.keys(row);
        own
          .prepare(
            `INSERT INTO api_key (${names.join(", ")}) VALUES (${names.map((one) => `@${one}`).join(", ")})`,
          )
          .run(row);
      }
      own.close();
      const at = port ?? (await freePort());
      const settings = {
        ...env,
        DATABASE_DIR: databaseDir,
        PORT: String(at),
        OPS_PORT: String(await freePort()),
        API_WORKERS: "1",
        ...more,
      };
      return {
        databaseDir,
        address: `http://127.0.0.1:${at}`,
        store: () => openStore(viewFile({ databaseDir })),
        startProjector: (core?: number) => start("projector", settings, core),
        async startApi(core?: number) {
          start("api", settings, core);
          const answers = () => fetch(`http://127.0.0.1:${at}/health/live`).then((answer) => answer.ok);
          await until("the API", () => answers().catch(() => false), 60_000);
        },
      };
    },
    async stop(child: ChildProcess): Promise<void> {
      child.kill("SIGTERM");
      await until("it to end", () => child.exitCode !== null || child.signalCode !== null, 60_000);
    },
    close(): void {
      for (const child of children) child.kill("SIGKILL");
      master.close();
    },
  };
}

export const percentile = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
