import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { emailKey, phoneKey } from "../../shared/identity-keys.ts";
import { Status } from "../../shared/view/lead-view.ts";
import { compress, encodingFor } from "../compress.ts";
import type { FoundLead, LeadQuery } from "../find-leads.ts";
import { CACHE, encodedHeaders } from "../representation.ts";
import type { Views } from "../views.ts";

export const FIND_PARAMETERS = [
  "externalLeadId",
  "email",
  "phoneNumber",
  "status",
  "limit",
  "cursor",
] as const;
export const DEFAULT_LIMIT = 20;
export const MOST_LEADS = 100;

type Parameters = { readonly [name in (typeof FIND_PARAMETERS)[number]]?: string };

/**
 * GET and HEAD /api/v1/leads: the workspace's leads, newest change first, narrowed by what the query gives. A page goes on
 * behind the last lead's number; a lead that changes meanwhile stands before the first page again.
 */
export function findRoute(server: FastifyInstance, views: Views): void {
  server.route({
    method: ["GET", "HEAD"],
    url: "/api/v1/leads",
    handler(request, reply) {
      const query = queryOf(request);
      // One more than asked for tells whether there is another page.
      const found = views.find({ ...query, limit: query.limit + 1 });
      send(reply, pageOf(found, query.limit), request.raw.headers["accept-encoding"]);
    },
  });
}

function queryOf(request: FastifyRequest): LeadQuery {
  const given = request.query as Parameters;
  const unknown = Object.keys(given).find((name) => !(FIND_PARAMETERS as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new ProblemError(400, `Query parameters are ${FIND_PARAMETERS.join(", ")}.`);
  const { externalLeadId, email, phoneNumber, status, limit, cursor } = given;
  if (status !== undefined && !(Status.literals as readonly string[]).includes(status))
    throw new ProblemError(400, `status must be one of ${Status.literals.join(", ")}.`);
  if (externalLeadId === "") throw new ProblemError(400, "externalLeadId must not be empty.");
  return {
    workspaceId: request.workspaceId,
    externalLeadId,
    emailKey: keyOf("email", email, emailKey),
    phoneKey: keyOf("phoneNumber", phoneNumber, phoneKey),
    status,
    limit: numberOf("limit", limit, MOST_LEADS, DEFAULT_LIMIT),
    before: numberOf("cursor", cursor, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  };
}

/** Addresses and numbers are found as they are matched: in any of the ways to write them. */
function keyOf(
  name: string,
  given: string | undefined,
  keyOfText: (text: string) => string | null,
): string | undefined {
  if (given === undefined) return undefined;
  const key = keyOfText(given);
  if (key === null) throw new ProblemError(400, `${name} must not be empty.`);
  return key;
}

function numberOf(name: string, given: string | undefined, most: number, otherwise: number): number {
  if (given === undefined) return otherwise;
  const value = /^\d{1,16}$/.test(given) ? Number(given) : 0;
  if (value >= 1 && value <= most) return value;
  throw new ProblemError(400, `${name} must be a whole number from 1 to ${most}.`);
}

/** `{"leads": [{"lead": …, "status": …}], "nextCursor": …}`, from the rows' own bytes. */
function pageOf(found: readonly FoundLead[], limit: number): Buffer {
  const { page, next } = cut(found, limit);
  return Buffer.concat([
    OPEN,
    ...page.flatMap(({ head }, index) => (index === 0 ? [head, CLOSE] : [COMMA, head, CLOSE])),
    Buffer.from(`],"nextCursor":${next === undefined ? "null" : `"${next}"`}}`),
  ]);
}

/**
 * What fits on the page, and the number that the next page begins below. On a replica of several shards two leads can have
 * one number: such leads stand on one page, where it can hold them.
 */
function cut(
  found: readonly FoundLead[],
  limit: number,
): { readonly page: readonly FoundLead[]; readonly next: number | undefined } {
  const page = found.slice(0, limit);
  const beyond = found[limit];
  if (beyond === undefined) return { page, next: undefined };
  const untied = page.filter(({ number }) => number > beyond.number);
  const fits = untied.length > 0 ? untied : page;
  return { page: fits, next: fits.at(-1)?.number };
}

const OPEN = Buffer.from('{"leads":[');
const CLOSE = Buffer.from("}");
const COMMA = Buffer.from(",");

function send(reply: FastifyReply, body: Buffer, accepts: string | string[] | undefined): void {
  reply.headers({ "cache-control": CACHE, "content-type": "application/json; charset=utf-8" });
  const encoding = accepts === undefined ? undefined : encodingFor(String(accepts), body.length);
  if (encoding === undefined) {
    reply.send(body);
    return;
  }
  reply.headers(encodedHeaders(encoding));
  compress(body, encoding).then(
    (compressed) => reply.send(compressed),
    (error) => reply.send(error),
  );
}
