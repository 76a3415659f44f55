// Several API processes as one: limits that hold over all, and what happens where they can't start.
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keysFile } from "../../../shared/config.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { freePort } from "../../harness/free-port.ts";
import { startProgram } from "../../harness/process.ts";
import { until } from "../../harness/wait.ts";

let folder: string;
let key: string;
let port: number;
const programs: ReturnType<typeof startProgram>[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "api-workers-"));
  const keys = openKeys(keysFile({ databaseDir: folder }));
  key = createKey(keys, "ws-1", "test");
  keys.close();
  port = await freePort();
});
afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function startApi(workers: number, env: Record<string, string> = {}) {
  const program = startProgram("api/main.ts", {
    DATABASE_DIR: folder,
    PORT: String(port),
    API_WORKERS: String(workers),
    ...env,
  });
  programs.push(program);
  return program;
}

const listening = (api: ReturnType<typeof startProgram>, workers: number) =>
  until(
    `${workers} workers to listen`,
    () => api.lines().filter(({ msg }) => msg === "api listening").length >= workers,
  );

/** By a connection of its own, so that the workers take turns. */
function ask(given: string, path = "/api/v1/leads/lead-1") {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined;
    readonly headers: Record<string, unknown>;
  }>();
  const url = { host: "127.0.0.1", port, path, agent: new Agent() };
  get({ ...url, headers: { "x-api-key": given } }, (response) => {
    response.resume();
    resolve({ status: response.statusCode, headers: response.headers });
  }).on("error", reject);
  return promise;
}

test.each([1, 2, 3])(
  "a limit of 10 a minute is 10 with %i workers, wrong keys have 30 tries",
  async (workers) => {
    const api = startApi(workers, { RATE_LIMIT_PER_MINUTE: "10" });
    await listening(api, workers);
    const answers = await Promise.all(Array.from({ length: 24 }, () => ask(key)));
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(14);
    expect(answers.map(({ headers }) => headers["ratelimit-remaining"]).sort()[0]).toBe("0");
    const wrong = [];
    for (let attempt = 0; attempt < 40; attempt++) wrong.push((await ask("wrong")).status);
    expect(wrong.filter((status) => status === 401)).toHaveLength(30);
    expect(wrong.slice(30)).toEqual(Array.from({ length: 10 }, () => 429));
  },
);

test("a large limit is given out in parts, and is never exceeded", async () => {
  const api = startApi(2, { RATE_LIMIT_PER_MINUTE: "500" });
  await listening(api, 2);
  const statuses: (number | undefined)[] = [];
  const readers = Array.from({ length: 8 }, async () => {
    for (let request = 0; request < 80; request++) statuses.push((await ask(key)).status);
  });
  await Promise.all(readers);
  expect(statuses.filter((status) => status !== 429)).toHaveLength(500);
});

test.each([1, 3])(
  "a taken port ends %i workers with 70 and says which setting to change",
  async (workers) => {
    const other = createServer().listen(port, "127.0.0.1");
    const api = startApi(workers);
    expect(await api.exited).toBe(70);
    other.close();
    const said = api.lines().filter(({ error }) => /port \d+ is taken; set PORT/.test(String(error)));
    expect(said).toHaveLength(1);
  },
);

test("a worker that dies is replaced; the others answer meanwhile", async () => {
  const api = startApi(2);
  await listening(api, 2);
  const pids = () =>
    new Set(
      api
        .lines()
        .filter(({ msg }) => msg === "api listening")
        .map(({ pid }) => pid),
    );
  const [first] = pids();
  process.kill(Number(first), "SIGKILL");
  // A connection that was on its way to the dead one is lost with it.
  await until("an answer", async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health/live`, {
      signal: AbortSignal.timeout(500),
    }).catch(() => undefined);
    return answer?.ok;
  });
  await until("another worker", () => pids().size === 3);
  expect(await api.stop("SIGTERM")).toBe(0);
});

test("workers that can't start are not started for ever: the API ends with their exit code", async () => {
  const api = startProgram("api/main.ts", {
    DATABASE_DIR: folder,
    PORT: String(port),
    API_WORKERS: "2",
    // Workers alone are made to fail: the primary has no such file open.
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent('import cluster from "node:cluster"; if (cluster.isWorker) process.exit(9);')}`,
  });
  programs.push(api);
  expect(await api.exited).toBe(9);
  expect(api.lines().filter(({ msg }) => msg === "an api worker died; starting another one")).toHaveLength(4);
});
