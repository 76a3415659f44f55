import type { FastifyInstance } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";

/** Refuses a query parameter that comes twice: which of the two was meant can't be known. */
export function refuseRepeats(server: FastifyInstance): void {
  server.addHook("preHandler", ({ query }, _reply, done) => {
    for (const name in query as Record<string, unknown>) {
      if (Array.isArray((query as Record<string, unknown>)[name])) {
        done(new ProblemError(400, "Send each query parameter once.") as never);
        return;
      }
    }
    done();
  });
}
