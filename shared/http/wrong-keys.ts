import type { FastifyInstance, FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";
import { ProblemError } from "./problem.ts";

const MINUTE_MS = 60_000;
/** Wrong keys that one address may try in a minute. */
const MOST_WRONG_KEYS = 30;
const MOST_ADDRESSES = 10_000;

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
