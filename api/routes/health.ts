import type { FastifyInstance } from "fastify";
import type { Readiness } from "../../shared/control.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import { type Views, ViewsUnavailable } from "../views.ts";

/**
 * /health/live: the process answers. /health/ready: it can read views of a schema that it knows, and they are kept up to
 * date; otherwise it says why not (rule: ready tells the truth).
 * @param sayUnavailable told where views can't be read
 */
export function healthRoutes(
  server: FastifyInstance,
  views: Views,
  readiness: Pick<Readiness, "reason">,
  sayUnavailable: (error: Error) => unknown,
  isDraining: () => boolean,
): void {
  const reasonOf = (): string | undefined => {
    if (isDraining()) return "this process is stopping";
    try {
      views.require();
    } catch (error) {
      if (!(error instanceof ViewsUnavailable)) throw error;
      sayUnavailable(error);
      return error.message;
    }
    return readiness.reason();
  };
  server.get("/health/live", (_request, reply) => {
    reply.send({ status: "live" });
  });
  server.get("/health/ready", (_request, reply) => {
    const reason = reasonOf();
    if (reason !== undefined) throw new ProblemError(503, `Not ready: ${reason}.`, { "retry-after": "1" });
    reply.send({ status: "ready" });
  });
}
