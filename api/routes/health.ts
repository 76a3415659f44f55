import type { FastifyInstance } from "fastify";
import type { Views } from "../views.ts";

/** /health/live: the process answers. /health/ready: it can read views of a schema that it knows (design.md section 7). */
export function healthRoutes(server: FastifyInstance, views: Views): void {
  server.get("/health/live", () => ({ status: "live" }));
  server.get("/health/ready", () => {
    views.epoch();
    return { status: "ready" };
  });
}
