import type { FastifyInstance, FastifyRequest } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { wrongKeyProblem } from "../../shared/http/wrong-keys.ts";
import type { ConnectionShares } from "../connection-shares.ts";
import type { Keys } from "../keys.ts";
import type { Quotas } from "../quotas.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The workspace of the request's key. */
    workspaceId: string;
    /** Names the request's key. */
    keyId: string;
  }
}

/**
 * Lets only requests with a known `x-api-key` pass, and notes whose workspace it is (seed, Authentication). A right key is
 * never refused for what others do: only what would be 401 counts as a wrong key.
 */
export function authenticate(
  server: FastifyInstance,
  keys: Keys,
  { wrongKeys }: Quotas,
  connections: ConnectionShares,
): void {
  server.decorateRequest("workspaceId", "");
  server.decorateRequest("keyId", "");
  server.addHook("onRequest", (request: FastifyRequest, _reply, done) => {
    const given = request.raw.headers["x-api-key"];
    const key = typeof given === "string" ? keys.find(given) : undefined;
    if (key === undefined) {
      wrongKeyProblem(wrongKeys, request.ip, "Send a valid workspace API key in the x-api-key header.").then(
        (problem) => done(problem as never),
        done,
      );
      return;
    }
    if (!connections.take(request.raw.socket, key.id)) {
      done(
        new ProblemError(429, "This key uses all the connections that it may have. Use fewer at once.", {
          connection: "close",
          "retry-after": "1",
        }) as never,
      );
      return;
    }
    request.workspaceId = key.workspaceId;
    request.keyId = key.id;
    done();
  });
}
