// The API as processes: several workers, real sockets, a projector beside.
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keysFile } from "../../../shared/config.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { openEventLog } from "../../harness/event-log.ts";
import { freePort } from "../../harness/free-port.ts";
import { startProgram } from "../../harness/process.ts";
import { until } from "../../harness/wait.ts";

const LEADS = 8;
let folder: string;
let key: string;
let port: number;
let log: ReturnType<typeof openEventLog>;
const programs: ReturnType<typeof startProgram>[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "api-process-"));
  log = openEventLog(folder);
  const keys = openKeys(keysFile({ databaseDir: folder }));
  key = createKey(keys, "ws-1", "test");
  keys.close();
  port = await freePort();
  const env = { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, PORT: String(port), API_WORKERS: "2" };
  programs.push(startProgram("projector/main.ts", env), startProgram("api/main.ts", env));
  for (let lead = 0; lead < LEADS; lead++)
    log.say({ leadId: `lead-${lead}`, event: "lead.created", data: { firstName: "0" } });
  await until("the API to have the leads", async () => {
    const answers = await Promise.all(
      Array.from({ length: LEADS }, (_, lead) => ask(new Agent(), `lead-${lead}`).catch(() => undefined)),
    );
    return answers.every((answer) => answer?.status === 200);
  });
});
afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly connection: string | undefined;
  readonly body: string;
}

function ask(agent: Agent, leadId: string, headers: Record<string, string> = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const url = { host: "127.0.0.1", port, path: `/api/v1/leads/${leadId}`, agent };
  get({ ...url, headers: { "x-api-key": key, ...headers } }, async (response: IncomingMessage) => {
    const { statusCode: status = 0, headers: answered } = response;
    resolve({ status, connection: answered.connection, body: await text(response) });
  }).on("error", reject);
  return promise;
}

test("read-your-writes under load: an answer that waited for a write never shows what was before it", async () => {
  const ROUNDS = 60;
  const agent = new Agent({ keepAlive: true });
  let reading = true;
  const noise = Array.from({ length: 4 }, async (_, lead) => {
    while (reading) await ask(agent, `lead-${lead}`);
  });
  const stale: string[] = [];
  const writers = Array.from({ length: LEADS }, async (_, lead) => {
    for (let round = 1; round <= ROUNDS; round++) {
      const position = log.say({
        leadId: `lead-${lead}`,
        event: "lead.updated",
        data: { firstName: String(round) },
      });
      const { status, body } = await ask(agent, `lead-${lead}`, { "x-wait-for-position": position });
      const seen = status === 200 ? JSON.parse(body).lead.firstName : `status ${status}`;
      if (seen !== String(round)) stale.push(`lead-${lead} at ${position}: wrote ${round}, read ${seen}`);
    }
  });
  await Promise.all(writers);
  reading = false;
  await Promise.all(noise);
  agent.destroy();
  expect(stale).toEqual([]);
}, 120_000);

test("SIGTERM under load: every request is answered, and the connections are given up", async () => {
  const failures: string[] = [];
  let answered = 0;
  let left = 0;
  const clients = Array.from({ length: 24 }, async (_, client) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (;;) {
      try {
        const { status, connection } = await ask(agent, `lead-${client % LEADS}`);
        if (status !== 200) failures.push(`status ${status}`);
        answered++;
        if (connection === "close") break;
      } catch (error) {
        failures.push(String(error));
        break;
      }
      // Some pause between two requests, and so are idle when the signal comes.
      if (client % 2 === 0) await delay(client);
    }
    left++;
    agent.destroy();
  });
  await until("load", () => answered > 500);
  const api = programs[1] as ReturnType<typeof startProgram>;
  expect(await api.stop("SIGTERM")).toBe(0);
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect(left).toBe(24);
});

test("a scrape tells of all workers, whichever it reaches", async () => {
  const agent = new Agent();
  const before = await reads();
  for (let count = 0; count < 40; count++) await ask(agent, "lead-0");
  for (let scrape = 0; scrape < 4; scrape++) expect(await reads()).toBe(before + 40);
});

async function reads(): Promise<number> {
  const body = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const count =
    /^lead_view_http_request_duration_seconds_count\{route="\/api\/v1\/leads\/:leadId",status="200"\} (\d+)/m;
  return Number(count.exec(body)?.[1]);
}
