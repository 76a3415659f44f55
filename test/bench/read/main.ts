// `npm run bench:read`: our read next to its limit, Node's bare server sending a fixed buffer, and next to what people
// write instead: the same lead joined from tables at each request. Needs wrk; PostgreSQL is compared where it is there.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../../harness/wait.ts";
import { freePort } from "../../kafka/broker/host-broker.ts";
import { table } from "../table.ts";
import { leadIdOf } from "./bench-leads.ts";
import { barChart } from "./chart.ts";
import { fillTables, fillViews } from "./fill.ts";
import { type Load, load, type Target } from "./load.ts";
import { startPostgres } from "./postgres.ts";

const SECONDS = 3;
const ROUNDS = 3;
const LEADS = 100_000;
/** Fewer where bodies are large, and where tables are to be filled row by row. */
const FEW_LEADS = 10_000;
const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

try {
  execFileSync("wrk", ["-v"], { stdio: "ignore" });
} catch (error) {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") {
    console.error("wrk is needed: apt-get install wrk (and postgresql, for the comparison with it)");
    process.exit(1);
  }
}
const folder = mkdtempSync(join(tmpdir(), "bench-read-"));
const children: ChildProcess[] = [];
const rows: string[][] = [];
let postgres: Awaited<ReturnType<typeof startPostgres>>;

try {
  const small = api("6k", { leads: LEADS, bytes: 6_000, documents: 0 });
  const withDocuments = api("6k-documents", { leads: LEADS, bytes: 6_000, documents: 3 });
  const large = api("60k", { leads: FEW_LEADS, bytes: 60_000, documents: 0 });
  const tables = { leads: FEW_LEADS, bytes: 6_000, documents: 0 };
  fillTables(folder, tables);
  postgres = await startPostgres(join(folder), tables);

  const plain = await compare("6 KB", small, {});
  const skewed = await compare("6 KB, skewed ids", small, { skewed: true });
  const documents = await compare("6 KB, three documents", withDocuments, {});
  const big = await compare("60 KB", large, {});
  const etag = await tagOf(small);
  const conditional = await compare("conditional, 304", small, { etag });
  const sqlite = await measure("SQLite join", "sqlite-join", folder, { leads: FEW_LEADS, key: "any" });
  const joined =
    postgres &&
    (await measure("PostgreSQL join", "postgres-join", String(postgres.port), {
      leads: FEW_LEADS,
      key: "any",
    }));
  const two = await twoWorkers(small);

  table(["server and load", "requests/s", "p50 ms", "p99 ms", "to the limit"], rows);
  writeChart(plain, documents, sqlite, joined);
  const round = (value: number) => Math.round(value * 1_000) / 1_000;
  console.log(
    JSON.stringify({
      toLimit: round(plain.ratio),
      toLimitSkewed: round(skewed.ratio),
      toLimitDocs: round(documents.ratio),
      toLimit60k: round(big.ratio),
      overSqliteJoin: round(plain.ours.requestsPerS / sqlite.requestsPerS),
      overPostgresJoin: joined ? round(plain.ours.requestsPerS / joined.requestsPerS) : null,
      p99ToLimit: round(plain.ours.p99Ms / plain.limit.p99Ms),
      conditionalToLimit: round(conditional.ratio),
      twoWorkers: round(two / plain.ours.requestsPerS),
    }),
  );
} finally {
  for (const child of children) child.kill("SIGKILL");
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
}

interface Api {
  readonly databaseDir: string;
  readonly bodyFile: string;
  readonly key: string;
  readonly leads: number;
}

function api(name: string, dataset: Parameters<typeof fillViews>[1]): Api {
  const databaseDir = join(folder, name);
  mkdirSync(databaseDir);
  const { key, body } = fillViews(databaseDir, dataset);
  const bodyFile = join(databaseDir, "body.json");
  writeFileSync(bodyFile, body);
  return { databaseDir, bodyFile, key, leads: dataset.leads };
}

/** Turn and turn about with the limit, on the same bytes; the best round of each counts. */
async function compare(what: string, { databaseDir, bodyFile, key, leads }: Api, more: Partial<Target>) {
  const limit = await start(HERE, ["servers.ts", "limit", bodyFile]);
  const ours = await start(ROOT, ["api/main.ts"], { DATABASE_DIR: databaseDir, API_WORKERS: "1" });
  const rounds: { limit: Load; ours: Load }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({
      limit: load(folder, { port: limit.port, key, leads, ...more }, SECONDS),
      ours: load(folder, { port: ours.port, key, leads, ...more }, SECONDS),
    });
  }
  for (const { child } of [limit, ours]) child.kill("SIGKILL");
  const best = {
    limit: bestOf(rounds.map((round) => round.limit)),
    ours: bestOf(rounds.map((round) => round.ours)),
  };
  const ratio = best.ours.requestsPerS / best.limit.requestsPerS;
  rows.push(rowOf(`limit, ${what}`, best.limit), rowOf(`lead view, ${what}`, best.ours, ratio));
  return { ...best, ratio };
}

async function measure(
  what: string,
  kind: string,
  argument: string,
  target: Omit<Target, "port">,
): Promise<Load> {
  const { child, port } = await start(HERE, ["servers.ts", kind, argument]);
  const best = bestOf(Array.from({ length: ROUNDS }, () => load(folder, { ...target, port }, SECONDS)));
  child.kill("SIGKILL");
  rows.push(rowOf(`${what}, 6 KB`, best));
  return best;
}

async function twoWorkers({ databaseDir, key, leads }: Api): Promise<number> {
  const { child, port } = await start(ROOT, ["api/main.ts"], { DATABASE_DIR: databaseDir, API_WORKERS: "2" });
  const best = bestOf(Array.from({ length: ROUNDS }, () => load(folder, { port, key, leads }, SECONDS)));
  child.kill("SIGTERM");
  rows.push(rowOf("lead view, 6 KB, two workers", best));
  return best.requestsPerS;
}

function bestOf(loads: readonly Load[]): Load {
  return loads.reduce((best, one) => (one.requestsPerS > best.requestsPerS ? one : best));
}

function rowOf(what: string, { requestsPerS, p50Ms, p99Ms }: Load, ratio?: number): string[] {
  return [
    what,
    String(Math.round(requestsPerS)),
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    ratio?.toFixed(2) ?? "",
  ];
}

async function start(
  cwd: string,
  args: string[],
  more: Record<string, string> = {},
): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), LOG_LEVEL: "error", ...more };
  const child = spawn(process.execPath, ["--no-warnings", ...args], {
    cwd,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.push(child);
  await until(`${args.join(" ")} to answer`, () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    ),
  );
  return { child, port };
}

async function tagOf({ databaseDir, key }: Api): Promise<string> {
  const { child, port } = await start(ROOT, ["api/main.ts"], { DATABASE_DIR: databaseDir, API_WORKERS: "1" });
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/leads/${leadIdOf(0)}`, {
    headers: { "x-api-key": key },
  });
  child.kill("SIGKILL");
  return answer.headers.get("etag") as string;
}

function writeChart(
  plain: { readonly limit: Load; readonly ours: Load },
  documents: { readonly ours: Load },
  sqlite: Load,
  joined: Load | undefined,
): void {
  const svg = barChart("GET /api/v1/leads/:id, requests/s on one core, 6 KB", [
    { name: "Node's http, a fixed buffer", value: plain.limit.requestsPerS },
    { name: "lead view", value: plain.ours.requestsPerS },
    { name: "lead view, three documents", value: documents.ours.requestsPerS },
    { name: "Fastify, SQLite join", value: sqlite.requestsPerS },
    ...(joined ? [{ name: "Fastify, PostgreSQL join", value: joined.requestsPerS }] : []),
  ]);
  writeFileSync(join(HERE, "reads.svg"), svg);
}
