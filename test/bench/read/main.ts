// `npm run bench:read`: our read next to its limit, Node's bare server sending a fixed buffer, and next to what people
// write instead: the same lead joined from tables at each request. Needs wrk; PostgreSQL is compared where it is there.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { table } from "../table.ts";
import { leadIdOf } from "./bench-leads.ts";
import { barChart } from "./chart.ts";
import { type Dataset, fillTables, fillViews } from "./fill.ts";
import { bestOf, type Load, load, requireWrk, type Target, warmUp } from "./load.ts";
import { startPostgres } from "./postgres.ts";
import { startApi, startServer } from "./server-process.ts";

const SECONDS = 3;
const ROUNDS = 3;
const LEADS = 100_000;
/** Fewer where bodies are large, and where tables are to be filled row by row. */
const FEW_LEADS = 10_000;
/** Hardly room for a view in memory: each read reads its row. The system's own memory of the file is warm. */
const COLD = { API_CACHE_MIB: "1" };
/** A limit that no load here comes to. */
const RATE_LIMITED = { RATE_LIMIT_PER_MINUTE: "1000000000" };
const BY_EMAIL = { before: "/api/v1/leads?email=bench-lead-", behind: "%40example.com" };
const CHART = fileURLToPath(new URL("reads.svg", import.meta.url));

requireWrk();
const folder = mkdtempSync(join(tmpdir(), "bench-read-"));
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
  const cold = await compare("6 KB, cold", small, {}, COLD);
  const limited = await compare("6 KB, rate limit set", small, {}, RATE_LIMITED);
  const etag = await tagOf(small);
  const conditional = await compare("conditional, 304", small, { etag });
  for (const acceptEncoding of ["zstd", "br", "gzip"]) {
    await measureOurs(`lead view, 60 KB, ${acceptEncoding}`, large, { acceptEncoding });
  }
  await measureOurs("lead view, checklist of 6 KB", small, { behind: "/checklist" });
  const find = await measureOurs("lead view, find by e-mail", small, BY_EMAIL);
  const sqlite = await measureOther("SQLite join", "sqlite-join", folder);
  const joined = postgres && (await measureOther("PostgreSQL join", "postgres-join", String(postgres.port)));
  const one = await measureOurs("lead view, 6 KB, one worker", small, {});
  const two = await measureOurs("lead view, 6 KB, two workers", small, {}, 2);

  table(["server and load", "requests/s", "p50 ms", "p99 ms", "a CPU second", "to the limit"], rows);
  writeChart(plain, documents, sqlite, joined);
  const round = (value: number) => Math.round(value * 1_000) / 1_000;
  console.log(
    JSON.stringify({
      toLimit: round(plain.ratio),
      toLimitSkewed: round(skewed.ratio),
      toLimitCold: round(cold.ratio),
      toLimitRateLimited: round(limited.ratio),
      toLimitDocs: round(documents.ratio),
      toLimit60k: round(big.ratio),
      overSqliteJoin: round(plain.ours.requestsPerS / sqlite.requestsPerS),
      overPostgresJoin: joined ? round(plain.ours.requestsPerS / joined.requestsPerS) : null,
      p99ToLimit: round(plain.ours.p99Ms / plain.limit.p99Ms),
      conditionalToLimit: round(conditional.ratio),
      findPerS: Math.round(find.requestsPerS),
      twoWorkers: round(two.requestsPerS / one.requestsPerS),
    }),
  );
} finally {
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
}

interface Api {
  readonly databaseDir: string;
  readonly bodyFile: string;
  readonly key: string;
  readonly leads: number;
}

function api(name: string, dataset: Dataset): Api {
  const databaseDir = join(folder, name);
  mkdirSync(databaseDir);
  const { key, body } = fillViews(databaseDir, dataset);
  const bodyFile = join(databaseDir, "body.json");
  writeFileSync(bodyFile, body);
  return { databaseDir, bodyFile, key, leads: dataset.leads };
}

/** Turn and turn about with the limit, on the same bytes; the best round of each counts. */
async function compare(
  what: string,
  { databaseDir, bodyFile, key, leads }: Api,
  more: Partial<Target>,
  env: Record<string, string> = {},
) {
  const limit = await startServer("limit", bodyFile);
  const ours = await startApi(databaseDir, 1, env);
  const rounds: { limit: Load; ours: Load }[] = [];
  for (const { port } of [limit, ours]) warmUp({ port, key, leads });
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({
      limit: load({ port: limit.port, key, leads, ...more }, SECONDS),
      ours: load({ port: ours.port, key, leads, ...more }, SECONDS),
    });
  }
  for (const server of [limit, ours]) server.stop();
  const best = {
    limit: bestOf(rounds.map((round) => round.limit)),
    ours: bestOf(rounds.map((round) => round.ours)),
  };
  const ratio = best.ours.requestsPerS / best.limit.requestsPerS;
  rows.push(
    rowOf(`limit, ${what}`, best.limit),
    rowOf(`lead view, ${what}`, best.ours, "", ratio.toFixed(2)),
  );
  return { ...best, ratio };
}

async function measureOurs(
  what: string,
  { databaseDir, key, leads }: Api,
  more: Partial<Target>,
  workers = 1,
) {
  const server = await startApi(databaseDir, workers);
  const target = { port: server.port, key, leads, ...more };
  // Each worker of several has a memory of its own.
  for (let worker = 0; worker < workers; worker++) warmUp(target);
  const before = server.cpuSeconds();
  const loads = Array.from({ length: ROUNDS }, () => load(target, SECONDS));
  const requests = loads.reduce((sum, { requestsPerS }) => sum + requestsPerS * SECONDS, 0);
  const perCpuSecond = requests / (server.cpuSeconds() - before);
  server.stop();
  const best = bestOf(loads);
  rows.push(rowOf(what, best, String(Math.round(perCpuSecond))));
  return best;
}

async function measureOther(what: string, kind: string, argument: string): Promise<Load> {
  const server = await startServer(kind, argument);
  const target = { port: server.port, key: "any", leads: FEW_LEADS };
  warmUp(target);
  const best = bestOf(Array.from({ length: ROUNDS }, () => load(target, SECONDS)));
  server.stop();
  rows.push(rowOf(`${what}, 6 KB`, best));
  return best;
}

function rowOf(what: string, { requestsPerS, p50Ms, p99Ms }: Load, perCpuSecond = "", ratio = ""): string[] {
  return [what, String(Math.round(requestsPerS)), p50Ms.toFixed(2), p99Ms.toFixed(2), perCpuSecond, ratio];
}

async function tagOf({ databaseDir, key }: Api): Promise<string> {
  const server = await startApi(databaseDir);
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/v1/leads/${leadIdOf(0)}`, {
    headers: { "x-api-key": key, "accept-encoding": "identity" },
  });
  server.stop();
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
  writeFileSync(CHART, svg);
}
