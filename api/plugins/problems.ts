import type { FastifyError, FastifyInstance } from "fastify";
import { PROBLEM_TYPE, ProblemError, problem } from "../../shared/http/problem.ts";
import { ViewsUnavailable } from "../views.ts";

/** Answers every error as problem details; what went wrong inside is for the log, not for the client. */
export function problems(server: FastifyInstance): void {
  server.setErrorHandler((error: FastifyError | ProblemError, request, reply) => {
    const { status, detail } = statusOf(error);
    if (status === 500)
      request.log.error({ error: error.message, code: (error as FastifyError).code }, "request failed");
    return reply.code(status).type(PROBLEM_TYPE).send(problem(status, detail));
  });
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).type(PROBLEM_TYPE).send(problem(404, "There is nothing at this address.")),
  );
}

function statusOf(error: FastifyError | ProblemError): { status: number; detail: string } {
  if (error instanceof ProblemError) return { status: error.statusCode, detail: error.message };
  if (error instanceof ViewsUnavailable) {
    return { status: 503, detail: "The lead views can't be read right now. Try again shortly." };
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return { status, detail: "The request can't be understood." };
  return { status: 500, detail: "Something went wrong on our side." };
}
