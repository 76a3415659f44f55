import type { IncomingMessage, ServerResponse } from "node:http";
import { plainId } from "../shared/log.ts";
import type { Keys } from "./keys.ts";
import type { Respond } from "./lead-response.ts";
import { REQUEST_ID } from "./request-id.ts";
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
 * routing costs more than the read. All others (errors, HEAD, an id that needs decoding, a body still to be compressed)
 * are Fastify's. Both answer by the same `Respond`.
 */
export function createFastLane(views: Views, keys: Keys, respond: Respond): FastLane {
  let answered = 0;
  const answer = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { url, method } = request;
    if (method !== "GET" || !url?.startsWith(PATH)) return false;
    const leadId = url.slice(PATH.length);
    const headers = readHeaders(request.rawHeaders);
    if (headers?.key === undefined || !PLAIN_ID.test(leadId)) return false;
    const workspaceId = keys.workspaceOf(headers.key);
    if (workspaceId === undefined) return false;
    const row = readOrUndefined(views, leadId);
    if (row === undefined || row.workspaceId !== workspaceId) return false;
    const finished = respond(row, headers);
    if (finished instanceof Promise) return false;
    const all =
      headers.requestId === undefined
        ? finished.headers
        : [...finished.headers, REQUEST_ID, headers.requestId];
    response.writeHead(finished.status, all as string[]);
    response.end(finished.body ?? undefined);
    answered++;
    return true;
  };
  return { answer, answered: () => answered };
}

interface PlainHeaders {
  readonly key: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly acceptEncoding: string | undefined;
  readonly requestId: string | undefined;
}

/**
 * Picks the few headers that matter here from those as they came: measured, making Node's object of them all costs more,
 * and so does looking names up instead of comparing them.
 * @returns undefined where one comes twice, or the request wants to wait for an event
 */
function readHeaders(rawHeaders: readonly string[]): PlainHeaders | undefined {
  let key: string | undefined;
  let ifNoneMatch: string | undefined;
  let acceptEncoding: string | undefined;
  let requestId: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const value = rawHeaders[at + 1] as string;
    if (isNamed(name, "x-api-key")) {
      if (key !== undefined) return undefined;
      key = value;
    } else if (isNamed(name, "accept-encoding")) {
      if (acceptEncoding !== undefined) return undefined;
      acceptEncoding = value;
    } else if (isNamed(name, "if-none-match")) {
      if (ifNoneMatch !== undefined) return undefined;
      ifNoneMatch = value;
    } else if (isNamed(name, REQUEST_ID)) {
      if (requestId !== undefined) return undefined;
      requestId = plainId(value);
    } else if (isNamed(name, WAIT_HEADER)) {
      return undefined;
    }
  }
  return { key, ifNoneMatch, acceptEncoding, requestId };
}

/** @param wanted in lower case */
const isNamed = (name: string, wanted: string): boolean =>
  name.length === wanted.length && (name === wanted || name.toLowerCase() === wanted);

/** A database that can't be read just now is Fastify's to tell. */
function readOrUndefined(views: Views, leadId: string) {
  try {
    return views.read(leadId);
  } catch {
    return undefined;
  }
}
