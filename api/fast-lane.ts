import type { IncomingMessage, ServerResponse } from "node:http";
import type { Keys } from "./keys.ts";
import type { Respond } from "./lead-response.ts";
import { REQUEST_ID, requestIdOf } from "./request-id.ts";
import type { Views } from "./views.ts";
import { WAIT_HEADER } from "./wait-for-position.ts";

export interface FastLane {
  /** True where it has answered. */
  answer(request: IncomingMessage, response: ServerResponse): boolean;
  /** How often it has. */
  answered(): number;
}

const PATH = "/api/v1/leads/";
const PLAIN_ID = /^[\w-]{1,200}$/;

/**
 * Answers the one request that most are, a lead that is there and may be read, before Fastify's routing: measured, that
 * routing costs more than the read. All others (errors, HEAD, an id that needs decoding, a URL still to be signed) are
 * Fastify's. Both answer by the same `Respond`.
 */
export function createFastLane(views: Views, keys: Keys, respond: Respond): FastLane {
  let answered = 0;
  const answer = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { url, method, headers } = request;
    if (method !== "GET" || !url?.startsWith(PATH)) return false;
    const leadId = url.slice(PATH.length);
    const key = headers["x-api-key"];
    if (typeof key !== "string" || !PLAIN_ID.test(leadId) || headers[WAIT_HEADER] !== undefined) return false;
    const workspaceId = keys.workspaceOf(key);
    if (workspaceId === undefined) return false;
    const row = readOrUndefined(views, leadId);
    if (row === undefined || row.workspaceId !== workspaceId) return false;
    const finished = respond(row, headers["if-none-match"]);
    if (finished instanceof Promise) return false;
    const requestId = requestIdOf(headers[REQUEST_ID]);
    const all = requestId === undefined ? finished.headers : [...finished.headers, REQUEST_ID, requestId];
    response.writeHead(finished.status, all as string[]);
    response.end(finished.body ?? undefined);
    answered++;
    return true;
  };
  return { answer, answered: () => answered };
}

/** A database that can't be read just now is Fastify's to tell. */
function readOrUndefined(views: Views, leadId: string) {
  try {
    return views.read(leadId);
  } catch {
    return undefined;
  }
}
