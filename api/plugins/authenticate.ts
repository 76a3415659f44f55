import type { FastifyInstance, FastifyRequest } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import type { Keys } from "../keys.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The workspace of the request's key. */
    workspaceId: string;
  }
}

/** Lets only requests with a known `x-api-key` pass, and notes whose workspace it is (seed, Authentication). */
export function authenticate(server: FastifyInstance, keys: Keys): void {
  server.decorateRequest("workspaceId", "");
  server.addHook("onRequest", (request: FastifyRequest, _reply, done) => {
    const key = request.headers["x-api-key"];
    const workspaceId = typeof key === "string" ? keys.workspaceOf(key) : undefined;
    if (workspaceId === undefined) {
      done(new ProblemError(401, "Send a valid workspace API key in the x-api-key header.") as never);
      return;
    }
    request.workspaceId = workspaceId;
    done();
  });
}
