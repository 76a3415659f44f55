import type { FastifyInstance } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import type { Respond } from "../lead-response.ts";
import type { Views } from "../views.ts";
import { WAIT_HEADER, waitForPosition } from "../wait-for-position.ts";

const ID = /^[^\u0000-\u001f\u007f]{1,200}$/u;

interface LeadRequest {
  Params: { readonly leadId: string };
}

/** GET and HEAD /api/v1/leads/:leadId: one row read, its bytes unparsed (seed; design.md sections 5 and 7). */
export function leadRoute(server: FastifyInstance, views: Views, respond: Respond): void {
  server.get<LeadRequest>("/api/v1/leads/:leadId", async (request, reply) => {
    const { leadId } = request.params;
    requireLeadId(leadId);
    await waitForPosition(views, request.headers[WAIT_HEADER]);
    const row = views.read(leadId);
    // One answer for an unknown, an erased and another workspace's lead: a key learns nothing of others' leads.
    if (row === undefined || row.workspaceId !== request.workspaceId)
      throw new ProblemError(404, "No such lead.");
    const { status, headers, body } = await respond(row, {
      ifNoneMatch: request.headers["if-none-match"],
      acceptEncoding: request.headers["accept-encoding"],
    });
    for (let at = 0; at < headers.length; at += 2) reply.header(headers[at] as string, headers[at + 1]);
    return reply.code(status).send(body ?? undefined);
  });
}

/** @throws ProblemError 400 for what can't be an id (design.md section 7) */
export function requireLeadId(leadId: string): void {
  if (ID.test(leadId)) return;
  throw new ProblemError(400, "A lead id has 1 to 200 characters, none of them a control character.");
}
