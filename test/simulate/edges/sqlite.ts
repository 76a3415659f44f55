import Real from "better-sqlite3";
import { type Actor, currentActor, currentMachine, Killed } from "../machine.ts";
import { noteAllSynced, noteSynced } from "../write-ahead-logs.ts";

// Real SQLite on real files. What is watched is who holds which file, so that a process can be killed; and where a commit
// would meet a full, busy or broken disk, it does.

/** Trouble that writes into files meet. */
export interface DiskFault {
  readonly code: "ENOSPC" | "SQLITE_FULL" | "SQLITE_BUSY" | "SQLITE_READONLY" | "SQLITE_IOERR_WRITE";
  /** Only files whose path holds this. */
  readonly files: string;
  /** Of all writes, how many meet it; 0 to 1. */
  readonly share: number;
  /** By the machine's clock. */
  readonly until: number;
}

let faults: DiskFault[] = [];

export const openConnections = new Set<Database>();

export function addFault(fault: DiskFault): void {
  faults.push(fault);
}

export function endFaults(): void {
  faults = [];
}

export const anyFault = (): boolean =>
  faults.length > 0 && faults.some(({ until }) => until > currentMachine().now);

export function forgetFiles(): void {
  faults = [];
}

function writes(file: string): void {
  const machine = currentMachine();
  machine.effect();
  if (currentActor() === undefined || faults.length === 0) return;
  faults = faults.filter(({ until }) => until > machine.now);
  for (const { code, files, share } of faults) {
    if (code === "ENOSPC" || !file.includes(files) || machine.random.fraction() >= share) continue;
    throw new Real.SqliteError(MESSAGES[code], code);
  }
}

/** Told before a simulated process changes a file that is no database. */
export function writesFile(path: string): void {
  const machine = currentMachine();
  machine.effect();
  faults = faults.filter(({ until }) => until > machine.now);
  for (const { code, files, share } of faults) {
    if (code !== "ENOSPC" || !path.includes(files) || machine.random.fraction() >= share) continue;
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code });
  }
}

const MESSAGES: Readonly<Record<DiskFault["code"], string>> = {
  ENOSPC: "no space left on device",
  SQLITE_FULL: "database or disk is full",
  SQLITE_BUSY: "database is locked",
  SQLITE_READONLY: "attempt to write a readonly database",
  SQLITE_IOERR_WRITE: "disk I/O error",
};

/** Who opens a file as the only one makes its log's index anew. */
function noteBefore(file: string): void {
  for (const { name, attached } of openConnections) if (name === file || attached.includes(file)) return;
  noteSynced(file);
}

const ATTACH = /^\s*ATTACH\b/i;
const BEGIN = /^\s*BEGIN\b/i;
const DETACH = /^\s*DETACH\b/i;

/** A connection that belongs to a simulated process. */
export default class Database extends Real {
  static override readonly SqliteError = Real.SqliteError;
  readonly actor: Actor | undefined = currentActor();
  /** True while what it commits is on the disk before it is told of. */
  #isDurable = false;
  /** Other files that it has attached. */
  readonly attached: string[] = [];

  constructor(file: string, options: Real.Options = {}) {
    if (currentActor()?.alive === false) throw new Killed();
    noteBefore(file);
    // Waiting for a lock would be real time: who finds one taken is told at once.
    super(file, { ...options, timeout: 0 });
    if (file !== ":memory:") openConnections.add(this);
  }

  override pragma(source: string, options?: Real.PragmaOptions): unknown {
    this.#requireLife();
    if (source.startsWith("busy_timeout")) return [];
    const level = /^synchronous\s*=\s*(\w+)/i.exec(source)?.[1];
    if (level !== undefined) this.#isDurable = level.toLowerCase() === "full";
    return super.pragma(source, options);
  }

  override exec(source: string): this {
    this.#requireLife();
    if (DETACH.test(source)) this.attached.pop();
    else if (!this.inTransaction && !BEGIN.test(source)) writes(this.name);
    super.exec(source);
    this.#committed();
    return this;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the library's own signature.
  override prepare(source: string): any {
    const statement = super.prepare(source);
    const run = statement.run;
    const attaches = ATTACH.test(source);
    statement.run = (...args: unknown[]) => {
      this.#requireLife();
      if (attaches) this.#attach(String(args[0]));
      else if (!this.inTransaction) writes(this.name);
      const result = run.apply(statement, args);
      this.#committed();
      return result;
    };
    return statement;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the library's own signature.
  override transaction(work: (...args: any[]) => unknown): any {
    const withCommit = (...args: unknown[]) => {
      const result = work(...args);
      writes(this.name);
      return result;
    };
    const inner = super.transaction(work);
    const outer = super.transaction(withCommit);
    const kinds = ["default", "deferred", "immediate", "exclusive"] as const;
    const run =
      (kind: (typeof kinds)[number]) =>
      (...args: unknown[]) => {
        this.#requireLife();
        if (this.inTransaction) return inner[kind](...args);
        const result = outer[kind](...args);
        this.#committed();
        // A process can die between its commit and the next thing that it does.
        currentMachine().effect();
        return result;
      };
    return Object.assign(run("default"), {
      default: run("default"),
      deferred: run("deferred"),
      immediate: run("immediate"),
      exclusive: run("exclusive"),
    });
  }

  /** What a dead process would still close stays open until it is buried. */
  override close(): this {
    if (this.actor?.alive === false) return this;
    return this.bury();
  }

  bury(): this {
    openConnections.delete(this);
    return super.close();
  }

  #committed(): void {
    if (this.#isDurable && !this.inTransaction) noteAllSynced(this.name);
  }

  #attach(file: string): void {
    noteBefore(file);
    this.attached.push(file);
  }

  #requireLife(): void {
    if (this.actor?.alive === false) throw new Killed();
  }
}
