import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { freePort } from "../../harness/free-port.ts";
import { until } from "../../harness/wait.ts";

/** A server under load, in a process of its own. */
export interface ServerProcess {
  readonly port: number;
  /** Seconds of processor time that it, and its workers, have used. */
  cpuSeconds(): number;
  stop(): void;
}

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** The kernel's clock ticks a second. */
const TICKS = 100;

/** Our API over a folder. */
export const startApi = (
  databaseDir: string,
  workers = 1,
  more: Record<string, string> = {},
): Promise<ServerProcess> =>
  start(ROOT, ["api/main.ts"], { DATABASE_DIR: databaseDir, API_WORKERS: String(workers), ...more });

/** One of servers.ts. */
export const startServer = (kind: string, argument: string): Promise<ServerProcess> =>
  start(HERE, ["servers.ts", kind, argument], {});

async function start(cwd: string, args: string[], more: Record<string, string>): Promise<ServerProcess> {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), LOG_LEVEL: "error", ...more };
  const child = spawn(process.execPath, ["--no-warnings", ...args], {
    cwd,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  // It ends with the benchmark, and does not keep it from ending.
  child.unref();
  process.once("exit", () => child.kill("SIGKILL"));
  await until(`${args.join(" ")} to answer`, () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    ),
  );
  return { port, cpuSeconds: () => cpuSecondsOf(child), stop: () => void child.kill("SIGKILL") };
}

function cpuSecondsOf({ pid }: ChildProcess): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean);
  return [String(pid), ...children].reduce((sum, one) => {
    const fields = readFileSync(`/proc/${one}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS;
  }, 0);
}
