import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../harness/wait.ts";

const LONGEST_MS = 180_000;

/** What a command said, and whether it did what it was to do. */
export interface Ran {
  readonly ok: boolean;
  readonly output: string;
}

/** A user's shell in a folder: what one command exports, the next ones have. */
export function openShell(folder: string, env: Readonly<Record<string, string>>) {
  const kept = join(folder, ".readme-test-env");
  writeFileSync(
    kept,
    Object.entries(env)
      .map(([name, value]) => `export ${name}=${value}\n`)
      .join(""),
  );
  const launch = (script: string): { program: ChildProcess; output: () => string } => {
    // The machine's own Node.js, and none of the settings of whoever runs this.
    const { HOME = "", PATH = "" } = process.env;
    const path = PATH.split(":")
      .filter((one) => !one.includes("node_modules"))
      .join(":");
    const program = spawn("bash", ["-c", `. ${kept}; ${script}`], {
      cwd: folder,
      env: { HOME, PATH: path },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    program.stdout.on("data", (data) => (output += data));
    program.stderr.on("data", (data) => (output += data));
    return { program, output: () => output };
  };
  return {
    async run(command: string): Promise<Ran> {
      if (command.startsWith("export ")) writeFileSync(kept, `${readFileSync(kept, "utf8")}${command}\n`);
      const { program, output } = launch(command);
      const timer = setTimeout(() => program.pid && process.kill(-program.pid, "SIGKILL"), LONGEST_MS);
      const [code] = await once(program, "exit");
      clearTimeout(timer);
      return { ok: code === 0, output: output() };
    },
    /** Starts what runs until it is stopped. */
    start(command: string, answers: RegExp): { readonly program: ChildProcess; readonly said: Promise<Ran> } {
      const { program, output } = launch(command);
      const said = until(
        `${command} to answer`,
        () => answers.test(output()) || program.exitCode !== null,
        LONGEST_MS,
      ).then(
        () => ({ ok: program.exitCode === null, output: output() }),
        (error: Error) => ({ ok: false, output: `${error.message}\n${output()}` }),
      );
      return { program, said };
    },
    close(): void {
      writeFileSync(kept, "");
    },
  };
}
