import type { FastifyInstance, FastifyReply } from "fastify";
import { monotonic } from "../../shared/clock.ts";

/**
 * Gives an answer that is written past Fastify, as a stream is, what all others have: the request id and the other headers
 * of every answer, and at its end its place in the metrics.
 */
export function streams(
  server: FastifyInstance,
  answered: (route: string, status: number, seconds: number) => void,
): void {
  const sent = new WeakSet<FastifyReply>();
  server.addHook("onRequest", (request, reply, done) => {
    const { raw } = reply;
    for (const [name, value] of Object.entries(reply.getHeaders())) raw.setHeader(name, value as string);
    const route = request.routeOptions.url ?? "none";
    raw.once("close", () => {
      if (sent.has(reply) || !raw.headersSent) return;
      answered(route, raw.statusCode, (monotonic() - request.startedAt) / 1_000);
    });
    done();
  });
  server.addHook("onSend", (_request, reply, payload, done) => {
    sent.add(reply);
    done(null, payload);
  });
}
