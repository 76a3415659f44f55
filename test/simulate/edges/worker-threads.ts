import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { type Actor, currentActor, currentMachine, Killed } from "../machine.ts";
import { program } from "../program.ts";

// Threads in this thread: each runs its module's text again with what only a thread has, and is told of messages as the
// simulated clock lets it.

export const isMainThread = true;
export const parentPort = null;
export const workerData: unknown = null;
export const threadId = 0;

type Body = (thread: object, url: string, modules: readonly object[]) => Promise<void>;
interface Module {
  readonly imports: readonly string[];
  readonly body: Body;
}

const known = new Map<string, Module>();
const IMPORT = /^import\s+(?:(\w+)\s*,?\s*)?(?:\{([^}]*)\})?\s*from\s+"([^"]+)";/gm;

/** A module's text as a function that can be run once a thread. */
function moduleOf(url: string): Module {
  const found = known.get(url);
  if (found) return found;
  const imports: string[] = [];
  const text = stripTypeScriptTypes(readFileSync(fileURLToPath(url), "utf8"))
    .replace(IMPORT, (_all, whole: string | undefined, names: string | undefined, from: string) => {
      const source = from === "node:worker_threads" ? "thread" : `modules[${imports.push(from) - 1}]`;
      const parts = (names ?? "")
        .split(",")
        .map((name) => name.trim().replace(/\s+as\s+/, ": "))
        .filter(Boolean);
      if (whole !== undefined) parts.push(`default: ${whole}`);
      return `const { ${parts.join(", ")} } = ${source};`;
    })
    .replace(/^export /gm, "")
    .replaceAll("import.meta.url", "url");
  const body = new Function(`return async (thread, url, modules) => {${text}\n}`)() as Body;
  const made = { imports, body };
  known.set(url, made);
  return made;
}

interface WorkerOptions {
  readonly workerData?: unknown;
}

class Port extends EventEmitter {
  readonly send: (message: unknown) => void;
  constructor(send: (message: unknown) => void) {
    super();
    this.send = send;
  }
  postMessage(message: unknown): void {
    this.send(structuredClone(message));
  }
  onClose: () => void = () => undefined;
  close(): void {
    this.onClose();
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

let threads = 0;

export class Worker extends EventEmitter {
  readonly threadId = ++threads;
  readonly #owner: Actor | undefined = currentActor();
  readonly #actor: Actor;
  readonly #port: Port;
  #ended = false;

  constructor(url: URL | string, { workerData: data }: WorkerOptions = {}) {
    super();
    const machine = currentMachine();
    if (this.#owner?.alive === false) throw new Killed();
    const href = String(url);
    this.#actor = machine.actor(`${this.#owner?.name ?? ""}/${href.split("/").at(-1)}`, this.#owner);
    this.#port = new Port((message) => this.#tell("message", message));
    this.#port.onClose = () => this.#end();
    const thread = {
      isMainThread: false,
      parentPort: this.#port,
      workerData: structuredClone(data),
      threadId: this.threadId,
      Worker,
    };
    machine.schedule(0, this.#actor, () => void this.#run(href, thread));
  }

  postMessage(message: unknown): void {
    const copy = structuredClone(message);
    currentMachine().schedule(0, this.#actor, () => void this.#port.emit("message", copy));
  }

  async terminate(): Promise<number> {
    const machine = currentMachine();
    machine.kill(this.#actor);
    await new Promise<void>((resolve) => void machine.schedule(0, this.#owner, resolve));
    this.#end();
    return 1;
  }

  ref(): void {}
  unref(): void {}

  async #run(href: string, thread: object): Promise<void> {
    try {
      const modules = loaded.get(href);
      if (!modules) throw new Error(`${href} was not prepared to be run as a thread`);
      await moduleOf(href).body(thread, href, modules);
      if (this.#port.listenerCount("message") === 0) this.#end();
    } catch (error) {
      if (error instanceof Killed || !this.#actor.alive) return;
      this.#tell("error", error);
      this.#end();
    }
  }

  /** Messages come in order, and before the end. */
  #tell(event: "message" | "error" | "exit", value: unknown): void {
    currentMachine().schedule(0, this.#owner, () => void this.emit(event, value));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell("exit", 0);
  }
}

/** Loads what threads run before anything is simulated: loading takes real time. */
export async function prepareThreads(urls: readonly string[]): Promise<void> {
  for (const url of urls) await modulesOf(url);
}

const loaded = new Map<string, readonly object[]>();

/** As the program finds them: with the simulation's edges. */
async function modulesOf(url: string): Promise<readonly object[]> {
  const modules: object[] = [];
  for (const name of moduleOf(url).imports)
    modules.push(await program(name.startsWith(".") ? new URL(name, url).href : name));
  loaded.set(url, modules);
  return modules;
}
