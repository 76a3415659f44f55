import type { FastifyInstance } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import type { Views } from "../views.ts";

/** /health/live: the process answers. /health/ready: it can read views of a schema that it knows (design.md section 7). */
export function healthRoutes(server: FastifyInstance, views: Views, isDraining: () => boolean): void {
  server.get("/health/live", () => ({ status: "live" }));
  server.get("/health/ready", () => {
    if (isDraining()) throw new ProblemError(503, "This process is stopping.");
    views.require();
    return { status: "ready" };
  });
}
