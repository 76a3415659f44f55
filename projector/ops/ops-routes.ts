import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { createWrongKeyCount, wrongKeyProblem } from "../../shared/http/wrong-keys.ts";
import { hashKey } from "../../shared/keys.ts";
import { viewWithoutUrls } from "../../shared/view/change.ts";
import { listGenerations } from "../rebuild/generations.ts";
import { readProgress } from "../rebuild/progress-file.ts";
import type { StoredDeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import type { Monitor } from "./monitor.ts";
import { runCli } from "./run-cli.ts";

/** Dead letters on a page. */
const PAGE = 50;

interface OpsParts {
  readonly monitor: Monitor;
  readonly databaseDir: string;
  readonly key: string;
}

interface ById {
  Params: { readonly id: string };
}

/** What the operator's page asks for, below /ops/api; each needs the page's key in `x-ops-key`. */
export function opsRoutes(server: FastifyInstance, { monitor, databaseDir, key }: OpsParts): void {
  const expected = hashKey(key);
  const countWrongKey = createWrongKeyCount();
  server.addHook("onRequest", async ({ headers, ip }) => {
    const given = headers["x-ops-key"];
    if (typeof given === "string" && timingSafeEqual(hashKey(given), expected)) return;
    throw await wrongKeyProblem(countWrongKey, ip, "Send the page's key in the x-ops-key header.");
  });

  const store = (): Store => {
    const current = monitor.store();
    if (!current) throw new ProblemError(503, "Another generation begins to serve. Try again shortly.");
    return current;
  };

  server.get("/ops/api/status", () => ({
    ready: monitor.isReady(),
    generation: monitor.generation(),
    partitions: monitor.partitions(),
    samples: monitor.samples(),
    deadLetters: monitor.deadLetters(),
    outboxes: monitor.outboxes(),
    sizes: monitor.sizes(),
    rebuild: readProgress(databaseDir) ?? null,
  }));

  server.get("/ops/api/generations", () => listGenerations(databaseDir));

  server.get<{ Querystring: { readonly after?: string } }>("/ops/api/dead-letters", ({ query }) => {
    const after = query.after === undefined ? 0 : idOf(query.after);
    return store().deadLetters.list(after, PAGE).map(summaryOf);
  });

  server.post<ById>("/ops/api/dead-letters/:id/retry", async ({ params }) => {
    const id = idOf(params.id);
    if (!store().deadLetters.get(id)) throw new ProblemError(404, "There is no such dead letter.");
    return runCli("dead-letters-cli.ts", ["retry", String(id)]);
  });

  server.get<ById>("/ops/api/leads/:id", ({ params }) => {
    const view = store().views.get(params.id);
    if (!view) throw new ProblemError(404, "There is no view of such a lead.");
    const { version, body, urlSlots } = view;
    return { version, view: JSON.parse(viewWithoutUrls(body, urlSlots).toString("utf8")) };
  });

  server.get<ById>("/ops/api/leads/:id/events", async ({ params }) => {
    const { ok, output } = await runCli("rebuild/view-cli.ts", [`--lead=${params.id}`, "--events"]);
    if (!ok) throw new ProblemError(503, output);
    return output === "" ? [] : output.split("\n").map((line) => JSON.parse(line));
  });
}

function idOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new ProblemError(400, "A dead letter's id is a number.");
  return Number(text);
}

/** Without the record's key, value and headers, which may hold a person's data: the command line shows those. */
function summaryOf({ id, code, reason, failedAt, record: { topic, partition, offset } }: StoredDeadLetter) {
  return { id, code, reason, failedAt, topic, partition, offset };
}
