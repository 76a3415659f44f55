import type { FastifyInstance } from "fastify";
import type { SetAside } from "../store/set-asides.ts";
import type { WebhookStatus } from "./monitor.ts";
import type { RouteParts } from "./ops-routes.ts";
import { PAGE, pageOf } from "./page-of.ts";

interface After {
  Querystring: { readonly after?: string };
}

/** What is handed on: endpoints of webhooks, and what relays set aside. */
export function relayRoutes(
  server: FastifyInstance,
  { monitor, store }: Pick<RouteParts, "monitor" | "store">,
): void {
  server.get<After>("/ops/api/webhooks", ({ query: { after } }) => {
    const { endpoints, total } = monitor.webhooksAfter(after, PAGE + 1);
    return pageOf(endpoints, total, ({ endpoint }) => endpoint.id, summaryOf);
  });

  server.get<After & { Params: { readonly relay: string } }>(
    "/ops/api/relays/:relay/set-aside",
    ({ params: { relay }, query: { after = "" } }) => {
      const { setAsides } = store();
      const rows = setAsides.list(relay, after, PAGE + 1);
      return pageOf(rows, setAsides.count(relay), ({ name }) => name, asideOf);
    },
  );
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
