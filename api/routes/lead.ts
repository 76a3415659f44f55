import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { type PositionWaits, VERSION_HEADER, WAIT_HEADER } from "../position-waits.ts";
import type { Answer, Respond, Section } from "../representation.ts";
import type { Views } from "../views.ts";

const ID = /^[^\u0000-\u001f\u007f]{1,200}$/u;

/** The platform's sibling reads, and the field of the view that each is. */
const SECTION_ROUTES: Readonly<Record<string, Section>> = {
  checklist: "checklistItems",
  documents: "documents",
  "action-logs": "actionLogs",
};

interface LeadRequest {
  Params: { readonly leadId: string };
}

/**
 * GET and HEAD /api/v1/leads/:leadId, and of its checklist, documents and action logs: one row read, its bytes unparsed
 * (seed). Handlers and hooks are synchronous where nothing is to be waited for: each promise costs.
 */
export function leadRoutes(
  server: FastifyInstance,
  views: Views,
  waits: PositionWaits,
  respond: Respond,
): void {
  const answer = (request: FastifyRequest<LeadRequest>, reply: FastifyReply, section?: Section): void => {
    const row = views.read(request.params.leadId);
    if (views.isIncomplete(request.params.leadId, request.workspaceId)) throw notHereYet();
    // One answer for an unknown, an erased and another workspace's lead: a key learns nothing of others' leads.
    if (row === undefined || row.workspaceId !== request.workspaceId) throw noSuchLead();
    const made = respond(row, request.raw.headers, section);
    if (made instanceof Promise) {
      made.then(
        (one) => send(reply, one),
        (error) => reply.send(error),
      );
    } else send(reply, made);
  };
  const handlerOf = (section?: Section) => (request: FastifyRequest<LeadRequest>, reply: FastifyReply) => {
    requireLeadId(request.params.leadId);
    const { [WAIT_HEADER]: position, [VERSION_HEADER]: version } = request.raw.headers;
    if (position === undefined && version === undefined) {
      answer(request, reply, section);
      return;
    }
    const given = { position: position?.toString(), version: version?.toString() };
    const cancel = waits.wait(given, request.params.leadId, request.keyId, (problem) => {
      try {
        if (problem === undefined) answer(request, reply, section);
        else reply.send(problem);
      } catch (error) {
        reply.send(error);
      }
    });
    reply.raw.once("close", cancel);
  };
  const add = (path: string, section?: Section) =>
    server.route({
      method: ["GET", "HEAD"],
      url: `/api/v1/leads/:leadId${path}`,
      handler: handlerOf(section) as RouteHandlerMethod,
    });
  add("");
  for (const [name, section] of Object.entries(SECTION_ROUTES)) add(`/${name}`, section);
}

function send(reply: FastifyReply, { status, headers, body }: Answer): void {
  reply.code(status).headers(headers);
  reply.send(body ?? undefined);
}

/** An older view, or none, in its place would be taken for the truth. */
const notHereYet = (): ProblemError =>
  new ProblemError(
    503,
    "This lead's latest view is too large for the topic that this replica follows, and not here yet.",
    {
      "retry-after": "5",
    },
  );

const noSuchLead = (): ProblemError => new ProblemError(404, "No such lead.");

/** @throws ProblemError 400 for what can't be an id */
export function requireLeadId(leadId: string): void {
  if (ID.test(leadId)) return;
  throw new ProblemError(400, "A lead id has 1 to 200 characters, none of them a control character.");
}
