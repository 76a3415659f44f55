import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { freePort } from "../../harness/free-port.ts";
import { until } from "../../harness/wait.ts";
import { benchLead } from "./bench-leads.ts";
import { type Dataset, rowsOf, TABLES } from "./fill.ts";

const ROOT = "/usr/lib/postgresql";
const AT_ONCE = 200;

/** Debian's PostgreSQL on a free port, filled with the tables; undefined where it is not installed. */
export async function startPostgres(folder: string, dataset: Dataset) {
  const version = existsSync(ROOT) ? readdirSync(ROOT).sort().at(-1) : undefined;
  if (!version) return undefined;
  const bin = join(ROOT, version, "bin");
  const data = join(folder, "postgres");
  mkdirSync(data);
  // PostgreSQL does not run as root.
  const ids = process.getuid?.() === 0 ? idsOf("postgres") : undefined;
  for (const path of ids ? [folder, data] : []) chownSync(path, ids?.uid as number, ids?.gid as number);
  const user = ids ?? {};
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "bench", "--auth=trust", "-E", "UTF8"], {
    ...user,
    stdio: "pipe",
    cwd: data,
  });
  const port = await freePort();
  const server = spawn(
    join(bin, "postgres"),
    [
      "-D",
      data,
      "-p",
      String(port),
      "-k",
      data,
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "shared_buffers=512MB",
      "-c",
      "fsync=off",
    ],
    { ...user, stdio: "ignore", cwd: data },
  );
  const client = await until("PostgreSQL", async () => {
    const one = new pg.Client({ host: "127.0.0.1", port, user: "bench", database: "postgres" });
    return one.connect().then(
      () => one,
      () => undefined,
    );
  });
  await client.query(TABLES);
  await fill(client, dataset);
  await client.query("ANALYZE");
  await client.end();
  return {
    port,
    version,
    async stop() {
      server.kill("SIGINT");
      await once(server, "exit");
    },
  };
}

function idsOf(name: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync("id", [flag, name], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function fill(client: pg.Client, { leads, bytes, documents }: Dataset): Promise<void> {
  for (let from = 0; from < leads; from += AT_ONCE) {
    const byTable = new Map<string, (string | number)[][]>();
    for (let index = from; index < Math.min(leads, from + AT_ONCE); index++) {
      for (const [table, values] of rowsOf(benchLead(index, bytes, documents))) {
        const rows = byTable.get(table) ?? [];
        rows.push(values);
        byTable.set(table, rows);
      }
    }
    for (const [table, rows] of byTable) {
      const columns = rows[0]?.map((_, column) => rows.map((row) => row[column])) ?? [];
      const types = (rows[0] ?? []).map((value) => (typeof value === "number" ? "int[]" : "text[]"));
      const arrays = types.map((type, index) => `$${index + 1}::${type}`).join(", ");
      await client.query(`INSERT INTO ${table} SELECT * FROM unnest(${arrays})`, columns);
    }
  }
}
