import type { FastifyInstance } from "fastify";
import { after, type Timer } from "../../shared/clock.ts";
import { parseExactly } from "../../shared/events/exact-json.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import { viewWithoutUrls } from "../../shared/view/change.ts";
import { noRecordOf } from "../rebuild/lead-history.ts";
import { type HistoryThread, openHistoryThread, type StepsPage } from "../rebuild/lead-steps-worker.ts";
import type { RouteParts } from "./ops-routes.ts";

/** Steps on a page. */
const STEPS = 20;
/** Reading a whole log takes its time. */
const LONGEST_MS = 120_000;
/** Milliseconds that a history is kept for its further pages: it holds a person's data. */
const KEPT_MS = 60_000;

interface ById {
  Params: { readonly id: string };
}

/** A lead: its view as it is served, and its history, step by step. */
export function leadRoutes(server: FastifyInstance, { store }: Pick<RouteParts, "store">): void {
  const histories = createHistories();
  server.addHook("onClose", async () => histories.end());

  server.get<ById>("/ops/api/leads/:id", ({ params }) => {
    const view = store().views.get(params.id);
    if (!view?.body) throw new ProblemError(404, "There is no view of such a lead.");
    const { number, urlSlots } = view;
    return { version: number, view: parseExactly(viewWithoutUrls(view.body, urlSlots).toString("utf8")) };
  });

  server.get<ById & { Querystring: { readonly from?: string } }>(
    "/ops/api/leads/:id/steps",
    async ({ params: { id }, query }, reply) => {
      const from = /^\d{1,9}$/.test(query.from ?? "0") ? Number(query.from ?? 0) : Number.NaN;
      if (Number.isNaN(from)) throw new ProblemError(400, "from is a number of steps.");
      const { json, total } = await histories.steps(id, from);
      if (total === 0) throw new ProblemError(404, noRecordOf(id));
      return reply.type("application/json; charset=utf-8").send(json);
    },
  );
}

/** Reads one lead's history at a time, and keeps the last one for a while. */
function createHistories() {
  let thread: HistoryThread | undefined;
  let forgetting: Timer | undefined;
  let busy = false;
  const end = () => {
    forgetting?.stop();
    thread?.end();
    thread = undefined;
  };
  return {
    /** @throws ProblemError 429 where another look-up is at work, 503 where the history can't be read */
    async steps(leadId: string, from: number): Promise<StepsPage> {
      if (busy) throw new ProblemError(429, "Another look-up is at work; try again when it is done.");
      busy = true;
      forgetting?.stop();
      // The first page reads anew: something may have come since.
      if (from === 0 || thread?.leadId !== leadId) {
        end();
        thread = openHistoryThread(leadId);
      }
      const limit = after(LONGEST_MS, end);
      try {
        return await thread.steps(from, STEPS);
      } catch (error) {
        end();
        throw new ProblemError(503, `The history can't be read: ${(error as Error).message}.`);
      } finally {
        limit.stop();
        busy = false;
        forgetting = after(KEPT_MS, end).unref();
      }
    },
    end,
  };
}
