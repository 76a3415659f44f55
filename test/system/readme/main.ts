// `npm run readme-test`: runs every fenced command of README.md and RUNBOOK.md that needs no Docker, in the order in which they
// stand, in a fresh clone. Its last line is {"commands": n, "failed": n}. Takes some minutes.
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../harness/free-port.ts";
import { commandsOf } from "./commands-of.ts";
import { openShell } from "./shell.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const clone = mkdtempSync(join(tmpdir(), "readme-test-"));
const started = new Map<string, ChildProcess>();
let [commands, failed] = [0, 0];

/** Ends a program as Ctrl-C in its terminal does. */
async function stop(name: string): Promise<void> {
  const child = started.get(name);
  started.delete(name);
  if (!child?.pid || child.exitCode !== null) return;
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGINT");
  await ended;
}

try {
  execFileSync("git", ["clone", "--quiet", ROOT, clone]);
  // Others may use the ports of the text on this machine.
  const ports = { "3000": await freePort(), "3001": await freePort(), "9092": await freePort() };
  const shell = openShell(clone, { PORT: String(ports["3000"]), OPS_PORT: String(ports["3001"]) });
  const here = (command: string): string =>
    command
      .replace(/127\.0\.0\.1:(3000|9092)/g, (_, port: "3000" | "9092") => `127.0.0.1:${ports[port]}`)
      .replace("npm run kafka", `npm run kafka -- --port ${ports["9092"]}`);
  for (const file of ["README.md", "RUNBOOK.md"]) {
    for (const command of commandsOf(readFileSync(join(clone, file), "utf8"))) {
      commands++;
      const { ok, output } = await (command.stays
        ? begin(here(command.text))
        : shell.run(here(command.text)));
      console.log(`${ok ? "ok    " : "FAILED"}  ${file}: ${command.text}`);
      if (ok) continue;
      failed++;
      console.log(output.slice(-2_000).replace(/^/gm, "        "));
    }
  }
  shell.close();

  /** Starts what stays in a terminal of its own, in the place of the one before; done once it says that it answers. */
  async function begin(text: string): Promise<{ ok: boolean; output: string }> {
    const name = text.includes("kafka") && !text.includes("npm start") ? "kafka" : "start";
    await stop(name);
    const { program, said } = shell.start(text, /^curl |listens at/m);
    started.set(name, program);
    return said;
  }
} finally {
  for (const name of [...started.keys()].reverse()) await stop(name);
  rmSync(clone, { recursive: true, force: true });
}
console.log(JSON.stringify({ commands, failed }));
process.exitCode = failed > 0 || commands === 0 ? 1 : 0;
