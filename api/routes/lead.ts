import type { FastifyInstance } from "fastify";
import { bodyWithUrls } from "../body.ts";
import type { Presigner } from "../presign.ts";
import { ProblemError } from "../problem.ts";
import type { Views } from "../views.ts";

const ID = /^[^\u0000-\u001f\u007f]{1,200}$/u;

interface LeadRequest {
  Params: { readonly leadId: string };
}

/** GET and HEAD /api/v1/leads/:leadId: one row read, its bytes unparsed (seed; design.md sections 5 and 7). */
export function leadRoute(server: FastifyInstance, views: Views, presigner: Presigner): void {
  server.get<LeadRequest>("/api/v1/leads/:leadId", (request, reply) => {
    const { leadId } = request.params;
    requireLeadId(leadId);
    const row = views.read(leadId);
    // One answer for an unknown, an erased and another workspace's lead: a key learns nothing of others' leads.
    if (row === undefined || row.workspaceId !== request.workspaceId)
      throw new ProblemError(404, "No such lead.");
    const bucket = row.urlSlots === null ? "" : `-${presigner.bucket().toString(36)}`;
    const etag = `"${views.epoch()}-${row.version}${bucket}"`;
    reply.header("etag", etag).header("cache-control", "private, no-cache");
    if (matches(request.headers["if-none-match"], etag)) return reply.code(304).send();
    reply.header("content-type", "application/json; charset=utf-8");
    if (row.urlSlots === null) return reply.send(row.body);
    const body = bodyWithUrls(row.body, row.urlSlots, presigner);
    return body instanceof Promise ? body : reply.send(body);
  });
}

/** @throws ProblemError 400 for what can't be an id (design.md section 7) */
export function requireLeadId(leadId: string): void {
  if (ID.test(leadId)) return;
  throw new ProblemError(400, "A lead id has 1 to 200 characters, none of them a control character.");
}

/** RFC 9110, If-None-Match: a list of tags compared weakly, or `*`. */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch === etag || ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
