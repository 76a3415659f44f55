import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fillViews } from "./fill.ts";
import { load, warmUp } from "./load.ts";
import { startApi, startServer } from "./server-process.ts";

const folder = mkdtempSync(join(tmpdir(), "quick-"));
const make = (name: string, documents: number) => {
  const d = join(folder, name);
  mkdirSync(d);
  const { key, body } = fillViews(d, { leads: 20000, bytes: 6000, documents });
  writeFileSync(join(d, "body"), body);
  return { d, key };
};
const plain = make("a", 0),
  docs = make("b", 3);
async function one(
  what: string,
  { d, key }: { d: string; key: string },
  more: object,
  env: Record<string, string>,
  warm = true,
) {
  const limit = await startServer("limit", join(d, "body"));
  const ours = await startApi(d, 1, env);
  const t = { key, leads: 20000 };
  warmUp({ port: limit.port, ...t });
  if (warm) warmUp({ port: ours.port, ...t, ...more });
  let bl = 0,
    bo = 0,
    cpu = 0,
    lc = 0;
  for (let i = 0; i < 3; i++) {
    const c0 = limit.cpuSeconds();
    const l = load({ port: limit.port, ...t, ...more }, 2);
    lc = Math.max(lc, (l.requestsPerS * 2) / (limit.cpuSeconds() - c0));
    const c = ours.cpuSeconds();
    const o = load({ port: ours.port, ...t, ...more }, 2);
    const per = (o.requestsPerS * 2) / (ours.cpuSeconds() - c);
    bl = Math.max(bl, l.requestsPerS);
    bo = Math.max(bo, o.requestsPerS);
    cpu = Math.max(cpu, per);
  }
  console.log(
    what,
    "limit",
    Math.round(bl),
    "ours",
    Math.round(bo),
    "ratio",
    (bo / bl).toFixed(3),
    "perCPU",
    Math.round(cpu),
    "limit",
    Math.round(lc),
    (cpu / lc).toFixed(3),
  );
  limit.stop();
  ours.stop();
}
const which = process.argv[2] ?? "";
if (/w|^$/.test(which)) await one("warm", plain, {}, {});
if (/d|^$/.test(which)) await one("docs", docs, {}, {});
if (/c|^$/.test(which)) await one("cold", plain, {}, { API_CACHE_MIB: "1" });
if (/r|^$/.test(which)) await one("rate", plain, {}, { RATE_LIMIT_PER_MINUTE: "1000000000" });
if (/l|^$/.test(which)) await one("checklist", plain, { behind: "/checklist" }, {});
if (/f|^$/.test(which))
  await one("find", plain, { before: "/api/v1/leads?email=bench-lead-", behind: "%40example.com" }, {});
rmSync(folder, { recursive: true });
process.exit(0);
