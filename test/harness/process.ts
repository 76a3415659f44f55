import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "./wait.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A log line of ours. */
export type LogLine = Readonly<Record<string, unknown>>;

/** One of our programs, as a process of its own. */
export function startProgram(
  file: "projector/main.ts" | "api/main.ts",
  env: Record<string, string>,
  { openFiles }: { readonly openFiles?: number } = {},
) {
  const command = [process.execPath, "--no-warnings", file];
  const [program, ...args] =
    openFiles === undefined ? command : ["prlimit", `--nofile=${openFiles}`, ...command];
  const child = spawn(program as string, args, {
    cwd: ROOT,
    env: { ...process.env, OPS_PORT: "0", LOG_LEVEL: "info", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "close").then(([code]) => code as number | null);
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  const lines = (): LogLine[] =>
    output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .flatMap((line) => {
        try {
          return [JSON.parse(line)];
        } catch {
          // The last line may not be whole yet.
          return [];
        }
      });
  const said = (message: string | RegExp, deadlineMs?: number): Promise<LogLine> =>
    until(
      `the log to say "${message}"; it says ${output.slice(-2_000)}`,
      () =>
        lines().find(({ msg }) =>
          typeof message === "string" ? msg === message : message.test(String(msg)),
        ),
      deadlineMs,
    );
  return {
    child,
    /** Its exit code, once it has ended. */
    exited,
    output: () => output,
    lines,
    said,
    /** Where it tells of itself. */
    opsAddress: async () => String((await said("metrics and health are served")).address),
    async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
  };
}
