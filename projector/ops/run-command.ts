import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ProblemError } from "../../shared/http/problem.ts";

/** Reading a whole history takes its time. */
const LONGEST_MS = 120_000;
const MOST_BYTES = 64 * 1024 ** 2;

/** What a command said, and whether it did what it was to do. */
export interface CommandOutput {
  readonly ok: boolean;
  readonly output: string;
}

const COMMAND_LINE = fileURLToPath(new URL("../../shared/command-line/lead-view.js", import.meta.url));
const run = promisify(execFile);
let busy = false;

/**
 * Runs `lead-view` with arguments as a process of its own, so that the fold does not wait for it; one at a time,
 * since each may read the whole history.
 * @throws ProblemError 429 where one is at work
 */
export async function runCommand(args: readonly string[]): Promise<CommandOutput> {
  if (busy) throw new ProblemError(429, "another look-up or retry is at work; try again when it is done");
  busy = true;
  try {
    const options = { timeout: LONGEST_MS, maxBuffer: MOST_BYTES };
    const { stdout } = await run(process.execPath, [COMMAND_LINE, ...args], options);
    return { ok: true, output: stdout.trim() };
  } catch (error) {
    const {
      killed,
      stdout = "",
      stderr = "",
    } = error as { killed?: boolean; stdout?: string; stderr?: string };
    if (killed) return { ok: false, output: `it was not done within ${LONGEST_MS / 1_000} seconds` };
    return { ok: false, output: (stderr || stdout).trim() };
  } finally {
    busy = false;
  }
}
