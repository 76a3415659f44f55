import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { SECTIONS } from "../../shared/view/change.ts";
import { Status } from "../../shared/view/lead-view.ts";
import type { ChangeFeed } from "../feed/change-feed.ts";
import type { Subscription } from "../feed/subscriber.ts";
import type { Keys } from "../keys.ts";
import type { StreamLimit } from "../stream-limit.ts";
import type { Views } from "../views.ts";
import { requireLeadId } from "./lead.ts";

interface EventsRequest {
  Params: { readonly leadId: string };
  Querystring: { readonly status?: string; readonly changed?: string; readonly from?: string };
}

export interface EventParts {
  readonly views: Views;
  readonly feed: ChangeFeed;
  readonly keys: Keys;
  readonly limit: StreamLimit;
  readonly isDraining: () => boolean;
}

/**
 * GET /api/v1/leads/:leadId/events and GET /api/v1/lead-views/events: changed views as Server-Sent Events, resumed behind
 * `Last-Event-ID`; with `?from=start` all there is comes first, and what follows without a gap. The same keys and the same
 * answers for others' leads as the read.
 */
export function eventRoutes(
  server: FastifyInstance,
  { views, feed, keys, limit, isDraining }: EventParts,
): void {
  const options = { exposeHeadRoute: false };
  server.get<EventsRequest>("/api/v1/leads/:leadId/events", options, async (request, reply) => {
    const { leadId } = request.params;
    requireLeadId(leadId);
    if (views.read(leadId)?.workspaceId !== request.workspaceId) throw new ProblemError(404, "No such lead.");
    await stream(request, reply, { leadId, status: undefined, sections: [] });
  });
  server.get<EventsRequest>("/api/v1/lead-views/events", options, async (request, reply) => {
    const { status, changed } = request.query;
    if (status !== undefined && !STATUSES.includes(status)) {
      throw new ProblemError(400, `status must be one of ${STATUSES.join(", ")}.`);
    }
    const sections = changed === undefined ? [] : changed.split(",");
    if (!sections.every((section) => (SECTIONS as readonly string[]).includes(section))) {
      throw new ProblemError(400, `changed must name fields of the view: ${SECTIONS.join(", ")}.`);
    }
    await stream(request, reply, { leadId: undefined, status, sections });
  });

  async function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    what: Pick<Subscription, "leadId" | "status" | "sections">,
  ): Promise<void> {
    const after = lastEventId(request) ?? startOf(request.query as EventsRequest["Querystring"]);
    const { workspaceId, keyId } = request;
    const key = request.headers["x-api-key"] as string;
    // Before the first byte: an unreadable database is a problem, not a broken stream.
    views.require();
    if (isDraining())
      throw new ProblemError(503, "This process is stopping. Try again.", { "retry-after": "1" });
    const release = await limit.take(keyId);
    if (release === undefined) {
      throw new ProblemError(429, "This key has all the streams that it may have open. Use fewer at once.", {
        "retry-after": "5",
      });
    }
    const { raw } = reply;
    reply.hijack();
    // Who left while the primary was asked.
    if (raw.destroyed) {
      release();
      return;
    }
    raw.once("close", release);
    raw.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "private, no-store",
      "x-accel-buffering": "no",
    });
    const isAllowed = () => keys.workspaceOf(key) === workspaceId;
    feed.subscribe({ workspaceId, ...what, after, isAllowed }, raw);
  }
}

const STATUSES: readonly string[] = Status.literals;

/** A client that comes back says how far it was: that counts, whatever its address asks for. */
function lastEventId(request: FastifyRequest): number | undefined {
  const given = request.headers["last-event-id"];
  if (given === undefined || given === "") return undefined;
  if (typeof given === "string" && /^\d{1,16}$/.test(given)) return Number(given);
  throw new ProblemError(400, "Last-Event-ID must be the id of an event of this stream.");
}

function startOf({ from }: EventsRequest["Querystring"]): number | undefined {
  if (from === undefined) return undefined;
  if (from === "start") return 0;
  throw new ProblemError(400, "from must be start, or left out.");
}
