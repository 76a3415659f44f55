import type { FastifyInstance } from "fastify";
import type { Config } from "../../shared/config.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import { ask } from "../owner/ask.ts";
import { relayOf } from "../publish/webhooks/endpoints.ts";
import type { SetAside } from "../store/set-asides.ts";
import type { Store } from "../store/store.ts";
import type { Monitor, WebhookStatus } from "./monitor.ts";

/** Rows on a page. */
const PAGE = 50;
const DAY_MS = 86_400_000;
/** What can be asked for an endpoint, each a request of its own to the owner. */
const ACTIONS = ["test", "disable", "enable", "rotate-secret", "redeliver", "remove"] as const;

interface RelayParts {
  readonly monitor: Monitor;
  readonly config: Config;
  readonly store: () => Store;
}

interface ByEndpoint {
  Params: { readonly id: string; readonly action: string };
  Querystring: { readonly lead?: string };
}

/** What the operator's page asks and does about what is handed on: endpoints of webhooks, and what relays set aside. */
export function relayRoutes(server: FastifyInstance, { monitor, config, store }: RelayParts): void {
  server.get("/ops/api/webhooks", () => monitor.webhooks().map(summaryOf));

  server.get<{ Params: { readonly id: string }; Querystring: { readonly after?: string } }>(
    "/ops/api/webhooks/:id/undelivered",
    ({ params, query }) =>
      store()
        .setAsides.held(relayOf(params), query.after ?? "", PAGE)
        .map(asideOf),
  );

  server.post<ByEndpoint>("/ops/api/webhooks/:id/:action", async ({ params, query, ip }) => {
    const { id } = params;
    const action = ACTIONS.find((one) => one === params.action);
    if (action === undefined) throw new ProblemError(404, "There is no such action.");
    const who = { askedBy: `the operator's page (${ip})` };
    return answered(() => {
      if (action === "rotate-secret")
        return ask(config, "webhooks.rotate-secret", { id, graceMs: DAY_MS }, who);
      if (action === "redeliver")
        return ask(
          config,
          "webhooks.redeliver",
          query.lead === undefined ? { id } : { id, lead: query.lead },
          who,
        );
      return ask(config, `webhooks.${action}`, { id }, who);
    });
  });

  server.post("/ops/api/webhooks/resume", ({ ip }) =>
    answered(() => ask(config, "webhooks.resume", {}, { askedBy: `the operator's page (${ip})` })),
  );

  server.get<{ Params: { readonly relay: string }; Querystring: { readonly after?: string } }>(
    "/ops/api/relays/:relay/set-aside",
    ({ params, query }) =>
      store()
        .setAsides.list(params.relay, query.after ?? "", PAGE)
        .map(asideOf),
  );

  server.post<{ Params: { readonly relay: string }; Querystring: { readonly name?: string } }>(
    "/ops/api/relays/:relay/retry",
    ({ params: { relay }, query: { name }, ip }) =>
      answered(() =>
        ask(config, "resend", name === undefined ? { relay } : { relay, name }, {
          askedBy: `the operator's page (${ip})`,
        }),
      ),
  );
}

/** What came of a request, or why it could not be done. */
async function answered(work: () => Promise<object>) {
  try {
    return { ok: true, result: await work() };
  } catch (error) {
    return { ok: false, output: (error as Error).message };
  }
}

/** Without the secrets. */
function summaryOf({ endpoint, waiting, setAside, held }: WebhookStatus) {
  const { id, workspaceId, url, disabledReason, failingSince, createdAt } = endpoint;
  const state = disabledReason !== null ? "disabled" : failingSince !== null ? "failing" : "active";
  return { id, workspaceId, url, state, disabledReason, failingSince, createdAt, waiting, setAside, held };
}

const asideOf = ({ name, number, reason, attempts, since, nextTryAt }: SetAside) => ({
  name,
  number,
  reason,
  attempts,
  since,
  nextTryAt,
});
