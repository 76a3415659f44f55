import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";
import { ProblemError } from "../../shared/http/problem.ts";
import { hashKey } from "../../shared/keys.ts";

const MINUTE_MS = 60_000;

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
