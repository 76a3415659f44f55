import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Config } from "../../shared/config.ts";
import { parseExactly } from "../../shared/events/exact-json.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import { createWrongKeyCount, wrongKeyProblem } from "../../shared/http/wrong-keys.ts";
import { hashKey } from "../../shared/keys.ts";
import { viewWithoutUrls } from "../../shared/view/change.ts";
import { ask } from "../owner/ask.ts";
import { recentRequests } from "../owner/recent-requests.ts";
import { recordJsonOf } from "../publish/view-record.ts";
import { listGenerations } from "../rebuild/generations.ts";
import { noRecordOf } from "../rebuild/lead-history.ts";
import { type RecordPosition, recordPosition, recordPositionName } from "../source/source.ts";
import type { StoredDeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import type { Monitor } from "./monitor.ts";
import { relayRoutes } from "./relay-routes.ts";
import { runCommand } from "./run-command.ts";

/** Dead letters on a page. */
const PAGE = 50;

interface OpsParts {
  readonly monitor: Monitor;
  readonly config: Config;
  readonly key: string;
}

interface ByPosition {
  Params: { readonly topic: string; readonly partition: string; readonly offset: string };
}

interface ById {
  Params: { readonly id: string };
}

/** What the operator's page asks for, below /ops/api; each needs the page's key in `x-ops-key`. */
export function opsRoutes(server: FastifyInstance, { monitor, config, key }: OpsParts): void {
  const { databaseDir } = config;
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

  // For replicas, of views that are larger than their topic takes.
  server.get<ById>("/ops/api/rows/:id", ({ params }) => {
    const change = store().views.change(params.id);
    if (change === undefined) throw new ProblemError(404, "No such lead.");
    return recordJsonOf(change);
  });

  server.get("/ops/api/status", () => ({
    reason: monitor.reason() ?? null,
    ready: monitor.reason() === undefined,
    otherRules: monitor.otherRules() ?? null,
    generation: monitor.generation(),
    partitions: monitor.partitions(),
    samples: monitor.samples(),
    deadLetters: monitor.deadLetters(),
    outboxes: monitor.outboxes(),
    sizes: monitor.sizes(),
    requests: recentRequests(databaseDir),
  }));

  server.get("/ops/api/generations", () => listGenerations(databaseDir));

  server.get<{ Querystring: { readonly after?: string } }>("/ops/api/dead-letters", ({ query }) => {
    const after =
      query.after === undefined ? { topic: "", partition: 0, offset: 0 } : positionOf(query.after);
    return store().deadLetters.list(after, PAGE).map(summaryOf);
  });

  server.post<ById>("/ops/api/dead-letters/:id/retry", async ({ params, ip }) => {
    const at = positionOf(params.id);
    if (!store().deadLetters.get(at)) throw new ProblemError(404, "There is no such dead letter.");
    try {
      const { folded, recovered } = await ask(
        config,
        "retry",
        { letter: recordPositionName(at) },
        { askedBy: `the operator's page (${ip})` },
      );
      return {
        ok: true,
        output: `folded its lead again from ${folded} records; ${recovered} dead letters are gone`,
      };
    } catch (error) {
      return { ok: false, output: (error as Error).message };
    }
  });

  server.get<ByPosition>("/ops/api/dead-letters/:topic/:partition/:offset", ({ params }) => {
    const at = positionOf(`${params.topic}/${params.partition}/${params.offset}`);
    const letter = store().deadLetters.get(at);
    if (!letter) throw new ProblemError(404, "There is no such dead letter.");
    return summaryOf(letter);
  });

  relayRoutes(server, { monitor, config, store });

  server.get<ById>("/ops/api/leads/:id", ({ params }) => {
    const view = store().views.get(params.id);
    if (!view?.body) throw new ProblemError(404, "There is no view of such a lead.");
    const { number, urlSlots } = view;
    return { version: number, view: parseExactly(viewWithoutUrls(view.body, urlSlots).toString("utf8")) };
  });

  server.get<ById>("/ops/api/leads/:id/events", async ({ params }) => {
    const { ok, output } = await runCommand(["view", `--lead=${params.id}`, "--events", "--json"]);
    if (!ok) throw new ProblemError(output.endsWith(noRecordOf(params.id)) ? 404 : 503, output);
    return parseExactly(output);
  });
}

function positionOf(text: string): RecordPosition {
  const at = recordPosition(text);
  if (!at) throw new ProblemError(400, "A dead letter is named by its position: topic/partition/offset.");
  return at;
}

/** Without the record's key, value and headers, which may hold a person's data: the command line shows those. */
function summaryOf({ code, reason, failedAt, record: { topic, partition, offset } }: StoredDeadLetter) {
  return { id: `${topic}/${partition}/${offset}`, code, reason, failedAt, topic, partition, offset };
}
