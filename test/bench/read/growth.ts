// `npm run bench:growth`: what a read costs at 10,000, 100,000 and 1,000,000 leads, all in memory, and what a lead takes
// on disk.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { viewFile } from "../../../shared/generation.ts";
import { table } from "../table.ts";
import { fillViews } from "./fill.ts";
import { bestOf, load, requireWrk, type Target, warmUp } from "./load.ts";
import { startApi } from "./server-process.ts";

const SECONDS = 4;
const ROUNDS = 3;
const SIZES = [10_000, 100_000, 1_000_000];
const BYTES = 6_000;
/** Room for all bodies: what is asked here is the cost of many leads, not of too little memory. */
const CACHE_MIB = "12288";

interface Sized {
  readonly leads: number;
  readonly databaseDir: string;
  readonly key: string;
  /** Of the database, for a lead. */
  readonly bytes: number;
  readonly body: number;
}

requireWrk();
const folder = mkdtempSync(join(tmpdir(), "bench-growth-"));
try {
  const sizes = SIZES.map((leads): Sized => {
    const databaseDir = join(folder, String(leads));
    const { key, body } = fillViews(databaseDir, { leads, bytes: BYTES, documents: 0 });
    return {
      leads,
      databaseDir,
      key,
      bytes: statSync(viewFile({ databaseDir })).size / leads,
      body: body.length,
    };
  });
  const servers: (Sized & { readonly target: Target })[] = [];
  for (const size of sizes) {
    const { port } = await startApi(size.databaseDir, 1, { API_CACHE_MIB: CACHE_MIB });
    const target = { port, key: size.key, leads: size.leads };
    warmUp(target);
    servers.push({ ...size, target });
  }
  const rounds = Array.from({ length: ROUNDS }, () => servers.map(({ target }) => load(target, SECONDS)));
  const best = servers.map((_, index) => bestOf(rounds.map((round) => round[index] as (typeof round)[0])));
  table(
    ["leads", "requests/s", "p99 ms", "database bytes a lead", "of which body"],
    servers.map(({ leads, bytes, body }, index) => [
      String(leads),
      String(Math.round(best[index]?.requestsPerS ?? 0)),
      (best[index]?.p99Ms ?? 0).toFixed(2),
      bytes.toFixed(0),
      String(body),
    ]),
  );
  const rates = best.map(({ requestsPerS }) => requestsPerS);
  console.log(
    JSON.stringify({
      slowestToFastest: Math.round((Math.min(...rates) / Math.max(...rates)) * 1_000) / 1_000,
      bytesPerLead: Math.round(servers.at(-1)?.bytes ?? 0),
    }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
