import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { atNextTurn } from "./clock.ts";

// The one door through which the program starts threads: so that whatever runs in one can also run in the thread that
// starts it, through a channel within the process (rule: one path, two hosts).

/** What may cross to another thread by being handed over, not copied. */
export type Transfer = readonly ArrayBuffer[];

/** A piece of work that can have a thread of its own. */
export interface ThreadWork<Task, Down, Up> {
  /** Names it within its module. */
  readonly name: string;
  /** The module, which calls `serveThread` with it. */
  readonly module: string;
  /** Does the work until it is done, or the signal aborts. What it throws reaches the one that started it. */
  readonly run: (task: Task, port: Port<Down, Up>, signal: AbortSignal) => Promise<void>;
}

/** The work's end of the channel. */
export interface Port<Down, Up> {
  post(message: Up, transfer?: Transfer): void;
  /** From now on told of what is said to it, what was said before included. */
  onMessage(listener: (message: Down) => void): void;
}

export interface ThreadListener<Up> {
  readonly message: (message: Up) => void;
  /** It ended: by an error, or because it was done or stopped. Nothing is heard of it afterwards. */
  readonly ended: (error: Error | undefined) => void;
}

/** The other end of the channel. */
export interface Thread<Down> {
  post(message: Down, transfer?: Transfer): void;
  /** Ends the work, wherever it is; resolves once it is at an end. */
  stop(): Promise<void>;
  /** Lets the process end though the work has not. */
  unref(): void;
}

export interface ThreadOptions {
  /** True where it runs in the thread that starts it. */
  readonly here?: boolean;
  /** MiB of the young generation of its heap: what is rarely garbage at once wants more. */
  readonly youngMiB?: number;
}

let allHere = false;

/** From now on everything runs in the thread that starts it: for a simulation, which owns the order of all that happens. */
export function runThreadsHere(here: boolean): void {
  allHere = here;
}

export function startThread<Task, Down, Up>(
  work: ThreadWork<Task, Down, Up>,
  task: Task,
  listener: ThreadListener<Up>,
  { here = false, youngMiB }: ThreadOptions = {},
): Thread<Down> {
  return here || allHere ? startHere(work, task, listener) : startWorker(work, task, listener, youngMiB);
}

/** What crosses from a worker: a message of the work's own, or the error that ended it. */
interface WorkMessage {
  readonly message: unknown;
}
interface WorkFailure {
  readonly failure: { readonly name: string; readonly message: string; readonly code?: string };
}

function startWorker<Task, Down, Up>(
  { name, module }: ThreadWork<Task, Down, Up>,
  task: Task,
  { message, ended }: ThreadListener<Up>,
  youngMiB: number | undefined,
): Thread<Down> {
  const worker = new Worker(new URL(module), {
    workerData: { work: name, task },
    ...(youngMiB === undefined ? {} : { resourceLimits: { maxYoungGenerationSizeMb: youngMiB } }),
  });
  const gone = Promise.withResolvers<void>();
  let stopped = false;
  let error: Error | undefined;
  worker.on("message", (received: WorkMessage | WorkFailure) => {
    if (stopped) return;
    if ("message" in received) message(received.message as Up);
    else error = Object.assign(new Error(received.failure.message), received.failure);
  });
  worker.on("error", (cause) => {
    error = cause as Error;
  });
  worker.on("exit", () => {
    gone.resolve();
    if (!stopped) ended(error);
  });
  return {
    post: (down, transfer = []) => worker.postMessage(down, transfer as ArrayBuffer[]),
    async stop() {
      stopped = true;
      await worker.terminate();
      await gone.promise;
    },
    unref: () => worker.unref(),
  };
}

function startHere<Task, Down, Up>(
  { run }: ThreadWork<Task, Down, Up>,
  task: Task,
  { message, ended }: ThreadListener<Up>,
): Thread<Down> {
  const stopping = new AbortController();
  const { signal } = stopping;
  let listen: ((down: Down) => void) | undefined;
  const waiting: Down[] = [];
  const port: Port<Down, Up> = {
    post: (up) => void atNextTurn(() => !signal.aborted && message(up)),
    onMessage(listener) {
      listen = listener;
      for (const down of waiting.splice(0)) listener(down);
    },
  };
  const work = Promise.resolve().then(() => run(task, port, signal));
  work.then(
    // Behind all that it said.
    () => void atNextTurn(() => !signal.aborted && ended(undefined)),
    (error) => void atNextTurn(() => !signal.aborted && ended(error as Error)),
  );
  return {
    post: (down) => void atNextTurn(() => (listen ? listen(down) : waiting.push(down))),
    async stop() {
      stopping.abort();
      await work.catch(() => undefined);
    },
    unref: () => undefined,
  };
}

/** Does the work where this module was started as its thread; else nothing. Stands at the end of the work's module. */
export function serveThread<Task, Down, Up>({ name, run }: ThreadWork<Task, Down, Up>): void {
  const started = workerData as { readonly work?: string; readonly task: Task } | null;
  if (isMainThread || started?.work !== name) return;
  const here = parentPort as NonNullable<typeof parentPort>;
  const port: Port<Down, Up> = {
    post: (message, transfer = []) =>
      here.postMessage({ message } satisfies WorkMessage, transfer as ArrayBuffer[]),
    onMessage: (listener) => void here.on("message", listener),
  };
  run(started.task, port, new AbortController().signal).then(
    // Nothing more is heard: the thread ends once nothing of its own is left.
    () => here.close(),
    ({ name: kind, message, code }: Error & { code?: string }) => {
      const failure = { name: kind, message, ...(code === undefined ? {} : { code }) };
      here.postMessage({ failure } satisfies WorkFailure);
      here.close();
    },
  );
}
