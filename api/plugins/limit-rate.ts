import type { FastifyInstance, FastifyReply } from "fastify";
import { wallClock } from "../../shared/clock.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import type { Use, UseQuota } from "../../shared/http/quota.ts";

/**
 * Limits the requests of a key, with the headers of the IETF draft. @fastify/rate-limit counts in one process; with a
 * store that counts in all, its asynchronous hook alone takes a tenth of a plain read (`npm run bench:read`).
 */
export function limitRate(server: FastifyInstance, perMinute: number, use: UseQuota): void {
  const limit = String(perMinute);
  const tell = (reply: FastifyReply, { allowed, left, endsAt }: Use): ProblemError | undefined => {
    const seconds = String(Math.max(0, Math.ceil((endsAt - wallClock()) / 1_000)));
    reply.header("ratelimit-limit", limit);
    reply.header("ratelimit-remaining", String(left));
    reply.header("ratelimit-reset", seconds);
    if (allowed) return undefined;
    return new ProblemError(429, `This key's limit is reached. Try again in ${seconds} seconds.`, {
      "retry-after": seconds,
    });
  };
  server.addHook("onRequest", (request, reply, done) => {
    const used = use(request.keyId);
    if (used instanceof Promise) used.then((one) => done(tell(reply, one) as never), done);
    else done(tell(reply, used) as never);
  });
}
