import type { FastifyInstance } from "fastify";
import { parseExactly } from "../../shared/events/exact-json.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import { viewWithoutUrls } from "../../shared/view/change.ts";
import { noRecordOf } from "../rebuild/lead-history.ts";
import type { RouteParts } from "./ops-routes.ts";
import { runCli } from "./run-cli.ts";

interface ById {
  Params: { readonly id: string };
}

/** A lead: its view as it is served, and the records that made it. */
export function leadRoutes(server: FastifyInstance, { store }: Pick<RouteParts, "store">): void {
  server.get<ById>("/ops/api/leads/:id", ({ params }) => {
    const view = store().views.get(params.id);
    if (!view?.body) throw new ProblemError(404, "There is no view of such a lead.");
    const { number, urlSlots } = view;
    return { version: number, view: parseExactly(viewWithoutUrls(view.body, urlSlots).toString("utf8")) };
  });

  server.get<ById>("/ops/api/leads/:id/events", async ({ params }) => {
    const { ok, output } = await runCli("rebuild/view-cli.ts", [`--lead=${params.id}`, "--events"]);
    if (!ok) throw new ProblemError(output === noRecordOf(params.id) ? 404 : 503, output);
    return output === "" ? [] : output.split("\n").map(parseExactly);
  });
}
