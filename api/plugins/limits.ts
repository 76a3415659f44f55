import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";
import { hashKey } from "../../shared/keys.ts";
import { ProblemError } from "../problem.ts";

const MINUTE_MS = 60_000;
/** Wrong keys that one address may try in a minute. */
const MOST_WRONG_KEYS = 30;
const MOST_ADDRESSES = 10_000;

/**
 * Limits requests per key, with the standard's headers.
 * @param perMinute requests that a key may make in a minute
 */
export async function limitPerKey(server: FastifyInstance, perMinute: number): Promise<void> {
  await server.register(rateLimit, {
    max: perMinute,
    timeWindow: MINUTE_MS,
    enableDraftSpec: true,
    keyGenerator: (request) => hashKey(String(request.headers["x-api-key"] ?? request.ip)).toString("base64"),
    errorResponseBuilder: (_request, { after }) =>
      new ProblemError(429, `This key's limit is reached. Try again in ${after}.`),
  });
}

/** Keeps an address from trying keys: after some wrong ones in a minute it gets 429 instead of 401. */
export function limitWrongKeys(server: FastifyInstance): void {
  const wrong = new LRUCache<string, { count: number }>({ max: MOST_ADDRESSES, ttl: MINUTE_MS });
  server.addHook("onRequest", (request: FastifyRequest, _reply, done) => {
    const tried = wrong.get(request.ip)?.count ?? 0;
    if (tried < MOST_WRONG_KEYS) done();
    else
      done(
        new ProblemError(429, "Too many wrong keys came from this address. Try again in a minute.") as never,
      );
  });
  server.addHook("onResponse", (request: FastifyRequest, reply, done) => {
    if (reply.statusCode === 401) {
      const entry = wrong.get(request.ip) ?? { count: 0 };
      entry.count++;
      wrong.set(request.ip, entry, { noUpdateTTL: true });
    }
    done();
  });
}
