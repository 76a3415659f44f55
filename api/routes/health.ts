import type { FastifyInstance } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import type { Views } from "../views.ts";

/** /health/live: the process answers. /health/ready: it can read views of a schema that it knows. */
export function healthRoutes(server: FastifyInstance, views: Views, isDraining: () => boolean): void {
  server.get("/health/live", (_request, reply) => {
    reply.send({ status: "live" });
  });
  server.get("/health/ready", (_request, reply) => {
    if (isDraining()) throw new ProblemError(503, "This process is stopping.");
    views.require();
    reply.send({ status: "ready" });
  });
}
